"""Logging in and out."""

from django.contrib.auth.views import LoginView, LogoutView

log_in = LoginView.as_view(template_name="console/login.html", redirect_authenticated_user=True)
# POST only: a link elsewhere must not log anybody out.
log_out = LogoutView.as_view(http_method_names=["post", "options"])
