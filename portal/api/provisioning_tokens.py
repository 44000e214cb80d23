"""Provisioning tokens, for programs."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import choose_tenant, get_tenant, memberships_of
from devices.actors import Actor
from devices.errors import InvalidRequest
from devices.models import Product, Role, Tenant
from portal.api.paging import PAGE_PARAMETERS, read_page
from portal.api.people import acting_user
from portal.lib.clock import now, rfc3339
from portal.lib.network import request_address
from provisioning.access import get_provisioning_token
from provisioning.api.serializers import DeviceIdField, ProblemSerializer
from provisioning.models import ProvisioningToken
from provisioning.services.tokens import create_provisioning_token, revoke_provisioning_token
from provisioning.token_models import Approval, DeviceIdPolicy

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")


class TokenRequestSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    tenant = serializers.UUIDField(required=False, help_text="Needed only by administrators of several tenants.")
    product = serializers.CharField(
        required=False, max_length=64, help_text="The code of one of the tenant's products: what its devices are."
    )
    deviceIdPolicy = serializers.ChoiceField(
        choices=DeviceIdPolicy.choices, default=DeviceIdPolicy.DEVICE_MAY, help_text="Who may choose a device's id."
    )
    deviceId = DeviceIdField(required=False, default="", help_text="The one device it is for, if it is for one.")
    approval = serializers.ChoiceField(choices=Approval.choices, default=Approval.NEEDED)
    maximumCredentialLifetime = serializers.IntegerField(
        required=False, allow_null=True, default=None, help_text="Seconds; null: its devices' secrets do not end."
    )
    useLimit = serializers.IntegerField(
        required=False, allow_null=True, default=None, help_text="How many devices it may let in; null: any number."
    )
    expiresAt = serializers.DateTimeField(required=False, allow_null=True, default=None)


class TokenSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    tenantId = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the secret begins.")
    product = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=["usable", "used-up", "expired", "revoked"])
    deviceIdPolicy = serializers.ChoiceField(choices=DeviceIdPolicy.choices)
    deviceId = serializers.CharField(allow_null=True)
    approval = serializers.ChoiceField(choices=Approval.choices)
    maximumCredentialLifetime = serializers.IntegerField(allow_null=True)
    useLimit = serializers.IntegerField(allow_null=True)
    useCount = serializers.IntegerField()
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(allow_null=True)
    revokedAt = serializers.DateTimeField(allow_null=True)
    lastUsedAt = serializers.DateTimeField(allow_null=True)


class NewTokenSerializer(TokenSerializer):
    secret = serializers.CharField(help_text="Shown here, and never again.")


class TokenPageSerializer(serializers.Serializer[Any]):
    provisioningTokens = TokenSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class TokensView(APIView):
    @extend_schema(
        operation_id="listProvisioningTokens",
        summary="List provisioning tokens, newest first",
        tags=["provisioning tokens"],
        parameters=[OpenApiParameter("tenant", uuid.UUID, description="Only of this tenant."), *PAGE_PARAMETERS],
        responses={200: TokenPageSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM},
    )
    def get(self, request: Request) -> Response:
        tokens = ProvisioningToken.objects.filter(tenant__in=_tenants(request)).select_related("tenant", "product")
        page = read_page(tokens, request.query_params)
        return Response({"provisioningTokens": [token_document(token) for token in page.rows], "next": page.next})

    @extend_schema(
        operation_id="createProvisioningToken",
        summary="Make a provisioning token",
        tags=["provisioning tokens"],
        request=TokenRequestSerializer,
        responses={201: NewTokenSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM},
    )
    def post(self, request: Request) -> Response:
        serializer = TokenRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body, user = serializer.validated_data, acting_user(request)
        tenant_id = str(body["tenant"]) if "tenant" in body else None
        tenant = choose_tenant(user_id=user.pk, tenant_id=tenant_id, role=Role.ADMIN)
        token, secret = create_provisioning_token(
            tenant=tenant,
            name=body["name"],
            product=find_product(tenant, body.get("product")),
            device_id_policy=DeviceIdPolicy(body["deviceIdPolicy"]),
            device_id=body["deviceId"],
            approval=Approval(body["approval"]),
            maximum_credential_lifetime=body["maximumCredentialLifetime"],
            use_limit=body["useLimit"],
            expires_at=body["expiresAt"],
            actor=Actor.user(user.pk, request_address(request.META)),
        )
        answer = {**token_document(token), "secret": secret}
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


class TokenDetailView(APIView):
    @extend_schema(
        operation_id="getProvisioningToken",
        summary="Get a provisioning token; its secret is not kept",
        tags=["provisioning tokens"],
        responses={200: TokenSerializer, 403: _PROBLEM, 404: _PROBLEM},
    )
    def get(self, request: Request, token_id: uuid.UUID) -> Response:
        token = get_provisioning_token(user_id=acting_user(request).pk, token_id=token_id)
        return Response(token_document(token))


class RevokeTokenView(APIView):
    @extend_schema(
        operation_id="revokeProvisioningToken",
        summary="End a provisioning token and the operations that wait with it; devices it let in stay",
        tags=["provisioning tokens"],
        request=None,
        responses={204: None, 403: _PROBLEM, 404: _PROBLEM},
    )
    def post(self, request: Request, token_id: uuid.UUID) -> Response:
        user = acting_user(request)
        token = get_provisioning_token(user_id=user.pk, token_id=token_id)
        revoke_provisioning_token(token=token, actor=Actor.user(user.pk, request_address(request.META)))
        return Response(status=204)


def token_document(token: ProvisioningToken) -> dict[str, Any]:
    """A token that was fetched with tenant and product. Never its secret."""
    return {
        "id": str(token.public_id),
        "tenantId": str(token.tenant.public_id),
        "name": token.name,
        "prefix": token.prefix,
        "product": token.product.code if token.product else None,
        "state": token.state(now()),
        "deviceIdPolicy": token.device_id_policy,
        "deviceId": token.device_id or None,
        "approval": token.approval,
        "maximumCredentialLifetime": token.maximum_credential_lifetime,
        "useLimit": token.use_limit,
        "useCount": token.use_count,
        "createdAt": rfc3339(token.created_at),
        "expiresAt": rfc3339(token.expires_at) if token.expires_at else None,
        "revokedAt": rfc3339(token.revoked_at) if token.revoked_at else None,
        "lastUsedAt": rfc3339(token.last_used_at) if token.last_used_at else None,
    }


def find_product(tenant: Tenant, code: str | None) -> Product | None:
    """The tenant's product with this code, or None when none is named. Raises InvalidRequest."""
    if not code:
        return None
    product = Product.objects.filter(tenant=tenant, code=code).first()
    if product is None:
        problem = "The tenant has no such product."
        raise InvalidRequest(problem, errors=[{"field": "product", "detail": problem}])
    return product


def _tenants(request: Request) -> list[Tenant]:
    """The tenant that is asked for, or all whose tokens the user may see."""
    user = acting_user(request)
    if tenant_id := request.query_params.get("tenant"):
        return [get_tenant(user_id=user.pk, tenant_id=tenant_id, role=Role.ADMIN)]
    return [membership.tenant for membership in memberships_of(user_id=user.pk, role=Role.ADMIN)]
