"""A product's list of serial numbers, for programs."""

import uuid
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import get_product
from devices.actors import Actor
from devices.models import ListedSerial, Role, SerialState
from devices.serials import serial_key
from devices.services.serial_lists import (
    LINE_LIMIT,
    TOLD,
    SerialImport,
    export_serials,
    import_serials,
    preview_import,
    remove_serials,
)
from portal.api.paging import PAGE_PARAMETERS, read_page
from portal.api.parsers import CSVParser
from portal.api.people import acting_user
from portal.lib.aio import run_db
from portal.lib.clock import rfc3339
from portal.lib.network import request_address
from provisioning.api.serializers import ProblemSerializer

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")
_CSV = {"text/csv": OpenApiTypes.STR}
_FORMAT = f"CSV in UTF-8, the serial number in the first column, a header if you like; at most {LINE_LIMIT} lines."
_REMOVED_AT_ONCE = 1000


class ListedSerialSerializer(serializers.Serializer[Any]):
    serialNumber = serializers.CharField()
    state = serializers.ChoiceField(choices=SerialState.choices, help_text="What became of it.")
    createdAt = serializers.DateTimeField()


class SerialPageSerializer(serializers.Serializer[Any]):
    serials = ListedSerialSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class InvalidLineSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    reason = serializers.CharField()


class SerialImportSerializer(serializers.Serializer[Any]):
    new = serializers.IntegerField()
    known = serializers.IntegerField(help_text="On the list already.")
    invalid = serializers.IntegerField()
    invalidLines = InvalidLineSerializer(many=True, help_text=f"The first {TOLD} of them.")


class RemovalSerializer(serializers.Serializer[Any]):
    serialNumbers = serializers.ListField(
        child=serializers.CharField(max_length=64), min_length=1, max_length=_REMOVED_AT_ONCE
    )


class RemovedSerializer(serializers.Serializer[Any]):
    removed = serializers.IntegerField()


class SerialsView(APIView):
    @extend_schema(
        operation_id="listSerials",
        summary="List a product's serial numbers, newest first",
        tags=["products"],
        parameters=[OpenApiParameter("search", str, description="Start of the serial number."), *PAGE_PARAMETERS],
        responses={200: SerialPageSerializer, 400: _PROBLEM, 404: _PROBLEM},
    )
    def get(self, request: Request, product_id: uuid.UUID) -> Response:
        product, query = get_product(user_id=acting_user(request).pk, product_id=product_id), request.query_params
        serials = ListedSerial.objects.filter(product=product)
        if key := serial_key(query.get("search", "").replace("\x00", "\ufffd")):
            serials = serials.filter(serial_key__startswith=key)
        page = read_page(serials.with_state(), query)
        return Response({"serials": [_document(row) for row in page.rows], "next": page.next})

    @extend_schema(
        operation_id="removeSerials",
        summary="Take serial numbers off the list; devices that were let in with them stay",
        tags=["products"],
        request=RemovalSerializer,
        responses={200: RemovedSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM},
    )
    def delete(self, request: Request, product_id: uuid.UUID) -> Response:
        user = acting_user(request)
        product = get_product(user_id=user.pk, product_id=product_id, role=Role.ADMIN)
        serializer = RemovalSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        actor = Actor.user(user.pk, request_address(request.META))
        numbers = serializer.validated_data["serialNumbers"]
        return Response({"removed": remove_serials(product=product, serial_numbers=numbers, actor=actor)})


class SerialPreviewView(APIView):
    parser_classes = (CSVParser,)

    @extend_schema(
        operation_id="previewSerialImport",
        summary="What an import would do: what is new, known and invalid. Nothing is written",
        description=_FORMAT,
        tags=["products"],
        request=_CSV,
        responses={200: SerialImportSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 413: _PROBLEM},
    )
    def post(self, request: Request, product_id: uuid.UUID) -> Response:
        product = get_product(user_id=acting_user(request).pk, product_id=product_id, role=Role.ADMIN)
        return Response(_import_document(preview_import(product=product, lines=request.data)))


class SerialImportView(APIView):
    parser_classes = (CSVParser,)

    @extend_schema(
        operation_id="importSerials",
        summary="Put serial numbers on the list, all or none",
        description=_FORMAT,
        tags=["products"],
        request=_CSV,
        parameters=[OpenApiParameter("skipInvalid", bool, description="Import the others when some are invalid.")],
        responses={200: SerialImportSerializer, 400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 413: _PROBLEM},
    )
    def post(self, request: Request, product_id: uuid.UUID) -> Response:
        user = acting_user(request)
        product = get_product(user_id=user.pk, product_id=product_id, role=Role.ADMIN)
        skip_invalid = request.query_params.get("skipInvalid", "").lower() == "true"
        actor = Actor.user(user.pk, request_address(request.META))
        outcome = import_serials(product=product, lines=request.data, skip_invalid=skip_invalid, actor=actor)
        return Response(_import_document(outcome))


class SerialExportView(APIView):
    @extend_schema(
        operation_id="exportSerials",
        summary="The whole list as CSV, with what became of each serial number",
        tags=["products"],
        responses={(200, "text/csv"): OpenApiTypes.STR, 404: _PROBLEM},
    )
    def get(self, request: Request, product_id: uuid.UUID) -> StreamingHttpResponse:
        product = get_product(user_id=acting_user(request).pk, product_id=product_id)
        # Said, so that it stays so: Django compresses each part of a stream as a file of its own, of which many clients
        # read only the first.
        headers = {
            "Content-Disposition": 'attachment; filename="serial-numbers.csv"',
            "Content-Encoding": "identity",
            "Cache-Control": "no-store",
        }
        pages = export_serials(product=product)
        # A synchronous iterator would be read whole, and only then sent, by a server that is asynchronous.
        content = _asynchronous(pages) if isinstance(request._request, ASGIRequest) else pages
        return StreamingHttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)


async def _asynchronous(pages: Iterator[str]) -> AsyncIterator[str]:
    while page := await run_db(partial(next, pages, "")):
        yield page


def _document(row: Any) -> dict[str, Any]:
    """A row of `ListedSerialQuerySet.with_state`."""
    return {"serialNumber": row.serial_number, "state": row.state, "createdAt": rfc3339(row.created_at)}


def _import_document(outcome: SerialImport) -> dict[str, Any]:
    return {
        "new": outcome.new,
        "known": outcome.known,
        "invalid": outcome.invalid,
        "invalidLines": [{"line": found.line, "reason": found.reason} for found in outcome.invalid_lines],
    }
