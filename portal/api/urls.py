from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from portal.api.claims import ClaimsView
from portal.api.devices import DeviceDetailView, DevicesView
from portal.api.lifecycle import ReEnableView, TransferView
from portal.api.operations import ApproveView, DeclineView, OperationDetailView, OperationsView
from portal.api.products import ProductDetailView, ProductsView
from portal.api.provisioning_tokens import RevokeTokenView, TokenDetailView, TokensView
from portal.api.serial_lists import SerialExportView, SerialImportView, SerialPreviewView, SerialsView
from portal.api.twins import DesiredView, TwinView

app_name = "api"
urlpatterns = [
    path("provisioning/", include("provisioning.api.urls")),
    path("claims", ClaimsView.as_view(), name="claims"),
    path("devices", DevicesView.as_view(), name="devices"),
    path("devices/<uuid:device_id>", DeviceDetailView.as_view(), name="device"),
    path("devices/<uuid:device_id>/twin", TwinView.as_view(), name="twin"),
    path("devices/<uuid:device_id>/twin/desired", DesiredView.as_view(), name="desired"),
    path("devices/<uuid:device_id>/re-enable", ReEnableView.as_view(), name="re-enable"),
    path("devices/<uuid:device_id>/transfer", TransferView.as_view(), name="transfer"),
    path("provisioning-tokens", TokensView.as_view(), name="provisioning-tokens"),
    path("provisioning-tokens/<uuid:token_id>", TokenDetailView.as_view(), name="provisioning-token"),
    path("provisioning-tokens/<uuid:token_id>/revoke", RevokeTokenView.as_view(), name="revoke-provisioning-token"),
    path("operations", OperationsView.as_view(), name="operations"),
    path("operations/<str:key>", OperationDetailView.as_view(), name="operation"),
    path("operations/<uuid:operation_id>/approve", ApproveView.as_view(), name="approve-operation"),
    path("operations/<uuid:operation_id>/decline", DeclineView.as_view(), name="decline-operation"),
    path("products", ProductsView.as_view(), name="products"),
    path("products/<uuid:product_id>", ProductDetailView.as_view(), name="product"),
    path("products/<uuid:product_id>/serials", SerialsView.as_view(), name="serials"),
    path("products/<uuid:product_id>/serials/preview", SerialPreviewView.as_view(), name="serials-preview"),
    path("products/<uuid:product_id>/serials/import", SerialImportView.as_view(), name="serials-import"),
    path("products/<uuid:product_id>/serials/export", SerialExportView.as_view(), name="serials-export"),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="api:schema"), name="docs"),
    path("redoc", SpectacularRedocView.as_view(url_name="api:schema"), name="redoc"),
]
