from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from portal.api.claims import ClaimsView
from portal.api.devices import DeviceDetailView, DevicesView
from portal.api.twins import DesiredView, TwinView

app_name = "api"
urlpatterns = [
    path("provisioning/", include("provisioning.api.urls")),
    path("claims", ClaimsView.as_view(), name="claims"),
    path("devices", DevicesView.as_view(), name="devices"),
    path("devices/<uuid:device_id>", DeviceDetailView.as_view(), name="device"),
    path("devices/<uuid:device_id>/twin", TwinView.as_view(), name="twin"),
    path("devices/<uuid:device_id>/twin/desired", DesiredView.as_view(), name="desired"),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="api:schema"), name="docs"),
    path("redoc", SpectacularRedocView.as_view(url_name="api:schema"), name="redoc"),
]
