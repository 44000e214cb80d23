"""Deciding on devices that came with a provisioning token."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import get_device, get_tenant
from devices.actors import Actor
from devices.errors import NotFound
from devices.models import Role, Tenant
from portal.api.lifecycle import let_in_document
from portal.api.paging import PAGE_PARAMETERS, read_page
from portal.api.people import acting_user
from portal.api.serializers import LetInSerializer
from portal.lib.clock import now, rfc3339
from portal.lib.network import request_address
from provisioning.access import get_operation, operations_of
from provisioning.api.serializers import DeviceIdField, ProblemSerializer
from provisioning.models import Enrolment
from provisioning.services.approvals import approve_operation, decline_operation, replaced_device
from provisioning.states import EnrolmentState

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")
_TENANT = OpenApiParameter("tenant", uuid.UUID, description="Only of this tenant.")
_KEY = OpenApiParameter("key", str, OpenApiParameter.PATH, description="The id, or the verification code.")


class OperationSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    tenantId = serializers.UUIDField()
    state = serializers.ChoiceField(choices=EnrolmentState.values)
    verificationCode = serializers.CharField(help_text="Compare it with what the device shows.")
    serialNumber = serializers.CharField()
    requestedId = serializers.CharField(allow_null=True)
    product = serializers.CharField(allow_null=True, help_text="The token's product.")
    statedProduct = serializers.CharField()
    attributes = serializers.DictField()
    network = serializers.CharField(allow_null=True, help_text="Where the device asked from.")
    tokenId = serializers.UUIDField()
    tokenName = serializers.CharField()
    deviceId = serializers.UUIDField(allow_null=True, help_text="The device it became.")
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField()


class OperationDetailSerializer(OperationSerializer):
    replaces = serializers.UUIDField(allow_null=True, help_text="The device an approval would replace.")


class OperationPageSerializer(serializers.Serializer[Any]):
    operations = OperationSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class ApprovalSerializer(serializers.Serializer[Any]):
    deviceId = DeviceIdField(required=False, default="", help_text="What to call the device, where the token lets you.")
    name = serializers.CharField(required=False, default="", max_length=100, allow_blank=True)


class OperationsView(APIView):
    @extend_schema(
        operation_id="listOperations",
        summary="List devices that came with a provisioning token, newest first",
        tags=["operations"],
        parameters=[
            _TENANT,
            OpenApiParameter("waiting", bool, description="Only those somebody can decide on now."),
            *PAGE_PARAMETERS,
        ],
        responses={200: OperationPageSerializer, 400: _PROBLEM, 404: _PROBLEM},
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        operations = operations_of(user_id=acting_user(request).pk)
        if tenant := _tenant(request):
            operations = operations.filter(tenant=tenant)
        if query.get("waiting", "").lower() == "true":
            operations = operations.undecided(now())
        page = read_page(operations, query)
        return Response({"operations": [operation_document(row) for row in page.rows], "next": page.next})


class OperationDetailView(APIView):
    @extend_schema(
        operation_id="getOperation",
        summary="Get an operation by its id, or by the verification code a device shows",
        tags=["operations"],
        parameters=[_KEY, _TENANT],
        responses={200: OperationDetailSerializer, 400: _PROBLEM, 404: _PROBLEM},
    )
    def get(self, request: Request, key: str) -> Response:
        operation = get_operation(user_id=acting_user(request).pk, key=key, tenant=_tenant(request))
        document = operation_document(operation)
        former = replaced_device(operation=operation) if document["state"] == EnrolmentState.WAITING else None
        return Response({**document, "replaces": str(former.public_id) if former else None})


class ApproveView(APIView):
    @extend_schema(
        operation_id="approveOperation",
        summary="Let the device in whose verification code you compared",
        tags=["operations"],
        request=ApprovalSerializer,
        responses={200: LetInSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 409: _PROBLEM},
    )
    def post(self, request: Request, operation_id: uuid.UUID) -> Response:
        user = acting_user(request)
        operation = get_operation(user_id=user.pk, key=str(operation_id), role=Role.TECHNICIAN)
        serializer = ApprovalSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        device = approve_operation(
            operation=operation,
            actor=Actor.user(user.pk, request_address(request.META)),
            device_id=serializer.validated_data["deviceId"],
            name=serializer.validated_data["name"],
        )
        return Response(let_in_document(get_device(user_id=user.pk, device_id=device.public_id)))


class DeclineView(APIView):
    @extend_schema(
        operation_id="declineOperation",
        summary="Turn the device away",
        tags=["operations"],
        request=None,
        responses={204: None, 403: _PROBLEM, 404: _PROBLEM, 409: _PROBLEM},
    )
    def post(self, request: Request, operation_id: uuid.UUID) -> Response:
        user = acting_user(request)
        operation = get_operation(user_id=user.pk, key=str(operation_id), role=Role.TECHNICIAN)
        decline_operation(operation=operation, actor=Actor.user(user.pk, request_address(request.META)))
        return Response(status=204)


def operation_document(operation: Enrolment) -> dict[str, Any]:
    """An operation that was fetched through the doors of provisioning.access."""
    token, tenant = operation.token, operation.tenant
    if token is None or tenant is None:
        raise NotFound("There is no such operation.")
    is_over = operation.state == EnrolmentState.WAITING and operation.is_stale(now())
    return {
        "id": str(operation.public_id),
        "tenantId": str(tenant.public_id),
        "state": EnrolmentState.EXPIRED.value if is_over else operation.state,
        "verificationCode": operation.verification_code,
        "serialNumber": operation.serial_number,
        "requestedId": operation.requested_id or None,
        "product": token.product.code if token.product else None,
        "statedProduct": operation.stated_product,
        "attributes": operation.attributes,
        "network": operation.network,
        "tokenId": str(token.public_id),
        "tokenName": token.name,
        "deviceId": str(operation.device.public_id) if operation.device else None,
        "createdAt": rfc3339(operation.created_at),
        "expiresAt": rfc3339(operation.decide_until or operation.created_at),
    }


def _tenant(request: Request) -> Tenant | None:
    tenant_id = request.query_params.get("tenant")
    return get_tenant(user_id=acting_user(request).pk, tenant_id=tenant_id) if tenant_id else None
