"""Products and what they admit, for programs."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import choose_tenant, get_product, get_tenant
from devices.models import Admission, Product, Role
from devices.services.products import change_product, create_product
from portal.api.paging import PAGE_PARAMETERS, read_page
from portal.api.people import acting_user
from portal.lib.clock import rfc3339
from provisioning.api.serializers import ProblemSerializer

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")


class ProductRequestSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=64, help_text="How devices name the product.")
    name = serializers.CharField(max_length=100)
    tenant = serializers.UUIDField(required=False, help_text="Needed only by administrators of several tenants.")


class ProductChangeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(required=False, max_length=100)
    activationWindow = serializers.IntegerField(
        required=False, help_text="Seconds in which a device that was let in before its first poll may come."
    )
    admission = serializers.ChoiceField(required=False, choices=Admission.choices)
    admitsBySerialAlone = serializers.BooleanField(
        required=False,
        help_text="Dangerous: lets a listed serial number in, once, without a person and without any proof.",
    )


class ProductSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    tenantId = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    activationWindow = serializers.IntegerField()
    admission = serializers.ChoiceField(choices=Admission.choices)
    admitsBySerialAlone = serializers.BooleanField()
    createdAt = serializers.DateTimeField()


class ProductPageSerializer(serializers.Serializer[Any]):
    products = ProductSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class ProductsView(APIView):
    @extend_schema(
        operation_id="listProducts",
        summary="List products, newest first",
        tags=["products"],
        parameters=[OpenApiParameter("tenant", uuid.UUID, description="Only of this tenant."), *PAGE_PARAMETERS],
        responses={200: ProductPageSerializer, 400: _PROBLEM, 404: _PROBLEM},
    )
    def get(self, request: Request) -> Response:
        user, query = acting_user(request), request.query_params
        products = Product.objects.filter(tenant__memberships__user_id=user.pk).select_related("tenant")
        if tenant_id := query.get("tenant"):
            products = products.filter(tenant=get_tenant(user_id=user.pk, tenant_id=tenant_id))
        page = read_page(products, query)
        return Response({"products": [product_document(product) for product in page.rows], "next": page.next})

    @extend_schema(
        operation_id="createProduct",
        summary="Make a product",
        tags=["products"],
        request=ProductRequestSerializer,
        responses={201: ProductSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 409: _PROBLEM},
    )
    def post(self, request: Request) -> Response:
        serializer = ProductRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body, user = serializer.validated_data, acting_user(request)
        tenant_id = str(body["tenant"]) if "tenant" in body else None
        tenant = choose_tenant(user_id=user.pk, tenant_id=tenant_id, role=Role.ADMIN)
        product = create_product(tenant=tenant, code=body["code"], name=body["name"])
        return Response(product_document(product), status=201)


class ProductDetailView(APIView):
    @extend_schema(
        operation_id="getProduct",
        summary="Get a product",
        tags=["products"],
        responses={200: ProductSerializer, 404: _PROBLEM},
    )
    def get(self, request: Request, product_id: uuid.UUID) -> Response:
        return Response(product_document(get_product(user_id=acting_user(request).pk, product_id=product_id)))

    @extend_schema(
        operation_id="changeProduct",
        summary="Change a product's name, window and admission",
        tags=["products"],
        request=ProductChangeSerializer,
        responses={200: ProductSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM},
    )
    def patch(self, request: Request, product_id: uuid.UUID) -> Response:
        product = get_product(user_id=acting_user(request).pk, product_id=product_id, role=Role.ADMIN)
        serializer = ProductChangeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        change_product(
            product=product,
            name=body.get("name"),
            activation_window=body.get("activationWindow"),
            admission=Admission(body["admission"]) if "admission" in body else None,
            admits_by_serial_alone=body.get("admitsBySerialAlone"),
        )
        return Response(product_document(product))


def product_document(product: Product) -> dict[str, Any]:
    """A product that was fetched with its tenant."""
    return {
        "id": str(product.public_id),
        "tenantId": str(product.tenant.public_id),
        "code": product.code,
        "name": product.name,
        "activationWindow": product.activation_window,
        "admission": product.admission,
        "admitsBySerialAlone": product.admits_by_serial_alone,
        "createdAt": rfc3339(product.created_at),
    }
