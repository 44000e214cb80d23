"""Logging in and out."""

from django.contrib.auth.views import LoginView, LogoutView

from portal.login import LimitedAuthenticationForm

log_in = LoginView.as_view(
    template_name="console/login.html",
    authentication_form=LimitedAuthenticationForm,
    redirect_authenticated_user=True,
)
# POST only: a link elsewhere must not log anybody out.
log_out = LogoutView.as_view(http_method_names=["post", "options"])
