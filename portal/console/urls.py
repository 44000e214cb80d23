"""The Console's URLs: one place, one path, one view."""

from django.urls import path

from portal.console.views import (
    access,
    activity,
    claim,
    device,
    devices,
    home,
    login,
    products,
    provisioning_tokens,
    settings,
    twin,
    waiting,
)

app_name = "console"

urlpatterns = [
    path("", home.home, name="home"),
    path("login", login.log_in, name="login"),
    path("logout", login.log_out, name="logout"),
    path("tenant", home.switch_tenant, name="switch-tenant"),
    path("claim", claim.claim, name="claim"),
    path("claim/<uuid:device_id>", claim.claimed, name="claimed"),
    path("waiting", waiting.waiting, name="waiting"),
    path("devices", devices.devices, name="devices"),
    path("devices/<uuid:device_id>", device.device, name="device"),
    path("devices/<uuid:device_id>/twin", twin.twin, name="device-twin"),
    path("devices/<uuid:device_id>/access", access.access, name="device-access"),
    path("products", products.products, name="products"),
    path("products/<uuid:product_id>", products.product, name="product"),
    path("products/<uuid:product_id>/serial-numbers.csv", products.export, name="product-export"),
    path("activity", activity.activity, name="activity"),
    path("settings", settings.settings, name="settings"),
    path("settings/provisioning-tokens", provisioning_tokens.provisioning_tokens, name="provisioning-tokens"),
]
