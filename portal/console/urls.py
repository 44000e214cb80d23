"""The Console's URLs: one place, one path, one view."""

from django.urls import path

from portal.console.views import access, activity, claim, device, devices, home, login, settings, twin

app_name = "console"

urlpatterns = [
    path("", home.home, name="home"),
    path("login", login.log_in, name="login"),
    path("logout", login.log_out, name="logout"),
    path("tenant", home.switch_tenant, name="switch-tenant"),
    path("claim", claim.claim, name="claim"),
    path("claim/<uuid:device_id>", claim.claimed, name="claimed"),
    path("devices", devices.devices, name="devices"),
    path("devices/<uuid:device_id>", device.device, name="device"),
    path("devices/<uuid:device_id>/twin", twin.twin, name="device-twin"),
    path("devices/<uuid:device_id>/access", access.access, name="device-access"),
    path("activity", activity.activity, name="activity"),
    path("settings", settings.settings, name="settings"),
]
