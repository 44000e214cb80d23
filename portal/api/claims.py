"""Letting devices in, for programs."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import choose_tenant, get_device
from devices.actors import Actor
from devices.errors import InvalidRequest
from devices.models import Product, Role, Tenant
from portal.api.people import acting_user
from portal.api.serializers import ClaimRequestSerializer, DeviceSerializer, device_document
from portal.entries import check_entries, counting_wrong_entries
from portal.lib.network import request_address
from provisioning.api.serializers import ProblemSerializer
from provisioning.services.claims import claim_by_code, claim_by_serial

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")


class ClaimsView(APIView):
    @extend_schema(
        operation_id="claimDevice",
        summary="Let a waiting device in",
        tags=["devices"],
        request=ClaimRequestSerializer,
        responses={201: DeviceSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 409: _PROBLEM, 429: _PROBLEM},
    )
    def post(self, request: Request) -> Response:
        serializer = ClaimRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body, user = serializer.validated_data, acting_user(request)
        tenant_id = str(body["tenant"]) if "tenant" in body else None
        tenant = choose_tenant(user_id=user.pk, tenant_id=tenant_id, role=Role.TECHNICIAN)
        product = _product(tenant, body.get("product"))
        actor = Actor.user(user.pk, request_address(request.META))
        check_entries(user.pk)
        with counting_wrong_entries(user.pk):
            if "provisioningCode" in body:
                device = claim_by_code(
                    code=body["provisioningCode"],
                    tenant=tenant,
                    name=body["name"],
                    product=product,
                    match_number=body["matchNumber"],
                    actor=actor,
                )
            else:
                device = claim_by_serial(
                    serial_number=body["serialNumber"], tenant=tenant, name=body["name"], product=product, actor=actor
                )
        return Response(device_document(get_device(user_id=user.pk, device_id=device.public_id)), status=201)


def _product(tenant: Tenant, code: str | None) -> Product | None:
    if not code:
        return None
    product = Product.objects.filter(tenant=tenant, code=code).first()
    if product is None:
        problem = "The tenant has no such product."
        raise InvalidRequest(problem, errors=[{"field": "product", "detail": problem}])
    return product
