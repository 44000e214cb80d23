"""Twins, for programs."""

import re
import uuid
from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.access import get_device
from devices.actors import Actor
from devices.errors import PreconditionFailed
from devices.models import Role
from portal.api.parsers import MergePatchParser
from portal.api.people import acting_user
from portal.api.serializers import SectionSerializer, TwinSerializer
from portal.lib.clock import rfc3339
from portal.lib.network import request_address
from provisioning.api.serializers import ProblemSerializer
from twins.models import Twin
from twins.services.twins import change_desired, get_twin

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")
_IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag the change was made from; 412 when it is another by now.",
)
_ETAG = re.compile(r'"(\d+)-(\d+)"')


class TwinView(APIView):
    @extend_schema(
        operation_id="getTwin",
        summary="Get a device's twin",
        tags=["twins"],
        responses={200: TwinSerializer, 404: _PROBLEM},
    )
    def get(self, request: Request, device_id: uuid.UUID) -> Response:
        device = get_device(user_id=acting_user(request).pk, device_id=device_id)
        return Response(twin_document(str(device.public_id), get_twin(device_id=device.pk)))


class DesiredView(APIView):
    parser_classes = (MergePatchParser,)

    @extend_schema(
        operation_id="getDesired",
        summary="Get the desired section",
        tags=["twins"],
        responses={200: SectionSerializer, 404: _PROBLEM},
    )
    def get(self, request: Request, device_id: uuid.UUID) -> Response:
        device = get_device(user_id=acting_user(request).pk, device_id=device_id)
        return _desired_response(get_twin(device_id=device.pk))

    @extend_schema(
        operation_id="changeDesired",
        summary="Merge a patch (RFC 7396) into the desired section",
        tags=["twins"],
        request={"application/merge-patch+json": dict[str, Any]},
        parameters=[_IF_MATCH],
        responses={200: SectionSerializer, 403: _PROBLEM, 404: _PROBLEM, 412: _PROBLEM, 413: _PROBLEM, 422: _PROBLEM},
    )
    def patch(self, request: Request, device_id: uuid.UUID) -> Response:
        user = acting_user(request)
        device = get_device(user_id=user.pk, device_id=device_id, role=Role.TECHNICIAN)
        version = _if_match(request.headers.get("If-Match", ""), get_twin(device_id=device.pk))
        actor = Actor.user(user.pk, request_address(request.META))
        change_desired(device=device, patch=cast("dict[str, Any]", request.data), actor=actor, if_version=version)
        return _desired_response(get_twin(device_id=device.pk))


def twin_document(device_id: str, twin: Twin) -> dict[str, Any]:
    """The twin for people and their programs, tags and all."""
    return {
        "deviceId": device_id,
        "generation": twin.generation,
        "tags": {"version": twin.tags_version, "document": twin.tags, "metadata": {}},
        "desired": _section(twin.desired_version, twin.desired, twin.desired_metadata),
        "reported": _section(twin.reported_version, twin.reported, twin.reported_metadata),
        "acknowledged": {
            "version": twin.acknowledged_version,
            "outcome": twin.acknowledgement,
            "reason": twin.acknowledgement_reason,
            "at": rfc3339(twin.acknowledged_at) if twin.acknowledged_at else None,
        },
    }


def _section(version: int, document: dict[str, Any], metadata: dict[str, str]) -> dict[str, Any]:
    return {"version": version, "document": document, "metadata": metadata}


def _desired_response(twin: Twin) -> Response:
    headers = {"ETag": f'"{twin.generation}-{twin.desired_version}"'}
    return Response(_section(twin.desired_version, twin.desired, twin.desired_metadata), headers=headers)


def _if_match(header: str, twin: Twin) -> int | None:
    """The version the caller means (RFC 9110 section 13.1.1); None when any will do."""
    if header.strip() in {"", "*"}:
        return None
    versions = [int(version) for generation, version in _ETAG.findall(header) if int(generation) == twin.generation]
    if twin.desired_version in versions:
        return twin.desired_version
    raise PreconditionFailed(f"The desired section has version {twin.desired_version}.", version=twin.desired_version)
