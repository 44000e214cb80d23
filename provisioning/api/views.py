"""What a device asks for over HTTP before it has credentials: docs/device-protocol.md section 1."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.actors import Actor
from devices.serials import serial_key
from portal.lib.clock import rfc3339
from portal.lib.network import request_address
from provisioning.api import limits
from provisioning.api.serializers import (
    CodeRequestSerializer,
    CodeSerializer,
    HandOverSerializer,
    PendingSerializer,
    PollRequestSerializer,
    ProblemSerializer,
)
from provisioning.codes import normalise_code
from provisioning.errors import UnknownCode
from provisioning.lane import held_poll
from provisioning.services.codes import issue_code
from provisioning.services.enrolments import Statement
from provisioning.services.polling import HandOver, Pending, poll_by_code, poll_by_serial

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")
_PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=25` holds the request for up to so many seconds (RFC 7240).",
)


class DeviceView(APIView):
    """A route for devices that have no credentials yet."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @staticmethod
    def actor(request: Request) -> Actor:
        return Actor.device(request_address(request.META))


class CodesView(DeviceView):
    @extend_schema(
        operation_id="requestProvisioningCode",
        summary="Ask for a provisioning code",
        tags=["provisioning"],
        request=CodeRequestSerializer,
        responses={201: CodeSerializer, 400: _PROBLEM, 403: _PROBLEM, 409: _PROBLEM, 410: _PROBLEM, 429: _PROBLEM},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        serializer = CodeRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body, actor = serializer.validated_data, self.actor(request)
        limits.check_code_request(actor.network)
        issued = issue_code(
            statement=Statement(body["serialNumber"], body["pollToken"], body["product"], body["attributes"]),
            actor=actor,
        )
        page = f"{base_url(request)}{reverse('console:claim')}"
        answer = {
            "provisioningCode": issued.code,
            "expiresAt": rfc3339(issued.expires_at),
            "expiresIn": issued.lifetime,
            "verificationUri": page,
            "verificationUriComplete": f"{page}?code={issued.code}",
        }
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


class PollView(DeviceView):
    @extend_schema(
        operation_id="poll",
        summary="Ask for credentials",
        tags=["provisioning"],
        request=PollRequestSerializer,
        parameters=[_PREFER],
        responses={
            200: HandOverSerializer,
            202: PendingSerializer,
            400: _PROBLEM,
            403: _PROBLEM,
            404: _PROBLEM,
            410: _PROBLEM,
            429: _PROBLEM,
        },
        auth=[],
    )
    def post(self, request: Request) -> Response:
        serializer = PollRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        outcome = self._poll(request, serializer.validated_data)
        if isinstance(outcome, HandOver):
            return Response(_hand_over(request, outcome), headers={"Cache-Control": "no-store"})
        return _pending(request, outcome)

    def _poll(self, request: Request, body: dict[str, Any]) -> Pending | HandOver:
        actor, token = self.actor(request), body["pollToken"]
        held = held_poll(request)
        if "serialNumber" in body:
            if held is None or not held.is_repeated:
                limits.check_poll(serial_key(body["serialNumber"]), token, actor.network)
            return poll_by_serial(statement=Statement(body["serialNumber"], token), actor=actor)
        limits.check_misses(actor.network)
        code = normalise_code(body["provisioningCode"])
        if held is None or not held.is_repeated:
            limits.check_poll(code or "", token, actor.network)
        try:
            if code is None:
                raise UnknownCode()
            return poll_by_code(code=code, poll_token=token, actor=actor)
        except UnknownCode:
            limits.count_miss(actor.network)
            raise


def base_url(request: Request) -> str:
    """Where this portal is reached: as configured, else as this request came."""
    url: str = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
    return url


def _pending(request: Request, pending: Pending) -> Response:
    poll_after = settings.POLL_INTERVAL
    held = held_poll(request)
    if held is not None:
        # It waits here, not between two requests.
        held.enrolment_id = pending.enrolment_id
        poll_after = 1
    headers = {"Retry-After": str(poll_after), "Cache-Control": "no-store"}
    return Response({"status": "pending", "pollAfter": poll_after}, status=202, headers=headers)


def _hand_over(request: Request, outcome: HandOver) -> dict[str, str]:
    portal_url = outcome.portal_url or base_url(request)
    hub_url = outcome.hub_url or f"ws{portal_url.removeprefix('http')}/hub/v1"
    return {
        "status": "provisioned",
        "deviceId": str(outcome.device_id),
        "deviceSecret": outcome.device_secret,
        "tenantId": str(outcome.tenant_id),
        "dataResidency": outcome.region,
        "hubUrl": hub_url,
        "portalUrl": portal_url,
    }
