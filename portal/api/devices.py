"""Devices, for programs."""

import uuid

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import get_device, get_tenant
from devices.actors import Actor
from devices.models import Device, Role
from devices.services.inventory import rename_device
from portal.api.paging import PAGE_PARAMETERS, read_page
from portal.api.people import acting_user
from portal.api.serializers import DevicePageSerializer, DeviceSerializer, RenameSerializer, device_document
from portal.lib.clock import now
from portal.lib.network import request_address
from provisioning.api.serializers import ProblemSerializer
from provisioning.services.removal import delete_device

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")


class DevicesView(APIView):
    @extend_schema(
        operation_id="listDevices",
        summary="List devices, newest first",
        tags=["devices"],
        parameters=[
            OpenApiParameter("tenant", uuid.UUID, description="Only devices of this tenant."),
            OpenApiParameter("search", str, description="Start of the serial number or name, or the whole id."),
            OpenApiParameter("presence", str, enum=["online", "offline"]),
            *PAGE_PARAMETERS,
        ],
        responses={200: DevicePageSerializer, 400: _PROBLEM, 404: _PROBLEM},
    )
    def get(self, request: Request) -> Response:
        user, query = acting_user(request), request.query_params
        devices = Device.objects.present().of_user(user.pk).select_related("tenant__region", "product")
        if tenant_id := query.get("tenant"):
            devices = devices.filter(tenant=get_tenant(user_id=user.pk, tenant_id=tenant_id))
        if text := query.get("search", "").strip():
            devices = devices.search(text)
        devices = devices.with_presence(query.get("presence", ""), now())
        page = read_page(devices.with_open_session(), query)
        return Response({"devices": [device_document(device) for device in page.rows], "next": page.next})


class DeviceDetailView(APIView):
    @extend_schema(
        operation_id="getDevice",
        summary="Get a device",
        tags=["devices"],
        responses={200: DeviceSerializer, 404: _PROBLEM},
    )
    def get(self, request: Request, device_id: uuid.UUID) -> Response:
        return Response(device_document(get_device(user_id=acting_user(request).pk, device_id=device_id)))

    @extend_schema(
        operation_id="renameDevice",
        summary="Rename a device",
        tags=["devices"],
        request=RenameSerializer,
        responses={200: DeviceSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM},
    )
    def patch(self, request: Request, device_id: uuid.UUID) -> Response:
        device = get_device(user_id=acting_user(request).pk, device_id=device_id, role=Role.TECHNICIAN)
        serializer = RenameSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(device_document(rename_device(device=device, name=serializer.validated_data["name"])))

    @extend_schema(
        operation_id="deleteDevice",
        summary="Delete a device: its credentials and its session end at once",
        tags=["devices"],
        responses={204: None, 403: _PROBLEM, 404: _PROBLEM},
    )
    def delete(self, request: Request, device_id: uuid.UUID) -> Response:
        user = acting_user(request)
        device = get_device(user_id=user.pk, device_id=device_id, role=Role.ADMIN)
        delete_device(device=device, actor=Actor.user(user.pk, request_address(request.META)))
        return Response(status=204)
