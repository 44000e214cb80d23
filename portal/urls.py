"""All URLs of the portal."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from portal.login import LimitedAdminAuthenticationForm
from portal.metrics import metrics
from portal.public import error_page, healthz

handler400 = "portal.public.bad_request"
handler403 = "portal.public.permission_denied"
handler404 = "portal.public.not_found"
handler500 = "portal.public.server_error"

admin.site.login_form = LimitedAdminAuthenticationForm

urlpatterns = [
    path("api/v1/", include("portal.api.urls")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("metrics", metrics, name="metrics"),
    path("errors/<slug:code>", error_page, name="error"),
    path("", include("portal.console.urls")),
]
