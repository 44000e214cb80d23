"""Letting devices in, for programs."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import choose_tenant, get_device
from devices.actors import Actor
from devices.models import Device, Role, Tenant
from portal.api.lifecycle import let_in_document
from portal.api.people import acting_user
from portal.api.provisioning_tokens import find_product
from portal.api.serializers import ClaimRequestSerializer, LetInSerializer
from portal.entries import counted_entry
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
        responses={201: LetInSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 409: _PROBLEM, 429: _PROBLEM},
    )
    def post(self, request: Request) -> Response:
        serializer = ClaimRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body, user = serializer.validated_data, acting_user(request)
        tenant_id = str(body["tenant"]) if "tenant" in body else None
        tenant = choose_tenant(user_id=user.pk, tenant_id=tenant_id, role=Role.TECHNICIAN)
        product = find_product(tenant, body.get("product"))
        actor = Actor.user(user.pk, request_address(request.META))
        device = self._claim(body, user_id=user.pk, tenant=tenant, name=body["name"], product=product, actor=actor)
        return Response(let_in_document(get_device(user_id=user.pk, device_id=device.public_id)), status=201)

    @staticmethod
    def _claim(body: dict[str, Any], *, user_id: int, tenant: Tenant, **rest: Any) -> Device:
        code, serial = body.get("provisioningCode", ""), body.get("serialNumber", "")
        with counted_entry(
            user_id=user_id, tenant_id=tenant.pk, entry=code or serial, serial_number=serial, is_serial=not code
        ) as admission:
            if not code:
                return claim_by_serial(serial_number=serial, tenant=tenant, **rest)
            return claim_by_code(
                code=code,
                serial_number=serial,
                match_number=body["matchNumber"],
                is_stepped_up=admission.needs_match_number,
                tenant=tenant,
                **rest,
            )
