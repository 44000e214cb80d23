"""Enabling a device anew, and giving it to another tenant."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import get_device, get_tenant
from devices.actors import Actor
from devices.models import Device, Role
from portal.api.people import acting_user
from portal.api.serializers import DeviceSerializer, LetInSerializer, device_document
from portal.lib.clock import rfc3339
from portal.lib.network import request_address
from provisioning.api.serializers import ProblemSerializer
from provisioning.services.transfer import transfer_device
from provisioning.services.windows import open_until, re_enable

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")


class TransferSerializer(serializers.Serializer[Any]):
    tenant = serializers.UUIDField(help_text="Where the device goes.")


class ReEnableView(APIView):
    @extend_schema(
        operation_id="reEnableDevice",
        summary="Let a device come aboard anew: its credentials and its session end at once",
        description="The first poll with its serial number within the product's window is given new credentials.",
        tags=["devices"],
        request=None,
        responses={200: LetInSerializer, 403: _PROBLEM, 404: _PROBLEM, 409: _PROBLEM},
    )
    def post(self, request: Request, device_id: uuid.UUID) -> Response:
        user = acting_user(request)
        device = get_device(user_id=user.pk, device_id=device_id, role=Role.ADMIN)
        re_enable(device=device, actor=Actor.user(user.pk, request_address(request.META)))
        return Response(let_in_document(get_device(user_id=user.pk, device_id=device_id)))


class TransferView(APIView):
    @extend_schema(
        operation_id="transferDevice",
        summary="Give a device to another tenant",
        description="Needs the role administrator in both. Tags are cleared; credentials, desired and reported stay.",
        tags=["devices"],
        request=TransferSerializer,
        responses={200: DeviceSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 409: _PROBLEM},
    )
    def post(self, request: Request, device_id: uuid.UUID) -> Response:
        user = acting_user(request)
        device = get_device(user_id=user.pk, device_id=device_id, role=Role.ADMIN)
        serializer = TransferSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        to_tenant = get_tenant(user_id=user.pk, tenant_id=serializer.validated_data["tenant"], role=Role.ADMIN)
        actor = Actor.user(user.pk, request_address(request.META))
        transfer_device(device=device, to_tenant=to_tenant, actor=actor)
        return Response(device_document(get_device(user_id=user.pk, device_id=device_id)))


def let_in_document(device: Device) -> dict[str, Any]:
    """A device that was let in just now, fetched as for `device_document`."""
    until = open_until(device=device)
    return {**device_document(device), "activateBy": rfc3339(until) if until else None}
