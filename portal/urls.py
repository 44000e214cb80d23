"""All URLs of the portal."""

from django.contrib import admin
from django.urls import include, path

from portal.metrics import metrics
from portal.public import error_page, healthz

handler400 = "portal.public.bad_request"
handler403 = "portal.public.permission_denied"
handler404 = "portal.public.not_found"
handler500 = "portal.public.server_error"

urlpatterns = [
    path("api/v1/", include("portal.api.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("metrics", metrics, name="metrics"),
    path("errors/<slug:code>", error_page, name="error"),
    path("", include("portal.console.urls")),
]
