"""What a device asks for over HTTP before it has credentials: docs/device-protocol.md section 1."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.actors import Actor
from devices.basic import read_basic
from devices.errors import InvalidRequest
from devices.services.credentials import AuthenticatedDevice, authenticate_device, rotate_device_secret
from portal.lib.clock import rfc3339
from portal.lib.network import request_address
from provisioning.api import limits
from provisioning.api.serializers import (
    CodeRequestSerializer,
    CodeSerializer,
    HandOverSerializer,
    OperationBegunSerializer,
    PendingSerializer,
    PollRequestSerializer,
    ProblemSerializer,
    RotatedSecretSerializer,
    SealedHandOverSerializer,
)
from provisioning.api.tokens import begin_anew, read_token
from provisioning.codes import normalise_code
from provisioning.errors import UnknownCode
from provisioning.lane.requests import poll_context
from provisioning.pollers import Poller
from provisioning.services.codes import issue_code
from provisioning.services.confirmation import confirm_hand_over
from provisioning.services.enrolments import Statement
from provisioning.services.guesses import check_device_code
from provisioning.services.handover import HandOver
from provisioning.services.polling import Pending, poll_by_code, poll_by_serial, poll_with_token

_PROBLEM = OpenApiResponse(ProblemSerializer, description="A problem (RFC 9457).")
_BEGUN = PolymorphicProxySerializer("CodeAnswer", [CodeSerializer, OperationBegunSerializer], None)
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

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="gangway"'

    @staticmethod
    def actor(request: Request) -> Actor:
        return Actor.device(request_address(request.META))


class CodesView(DeviceView):
    @extend_schema(
        operation_id="requestProvisioningCode",
        summary="Ask for a provisioning code",
        tags=["provisioning"],
        request=CodeRequestSerializer,
        description="With `Authorization: Bearer` and a provisioning token it begins an operation instead.",
        responses={201: _BEGUN, 400: _PROBLEM, 403: _PROBLEM, 409: _PROBLEM, 410: _PROBLEM, 429: _PROBLEM},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        serializer = CodeRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body, actor = serializer.validated_data, self.actor(request)
        limits.check_code_request(actor.network)
        statement = Statement(body["serialNumber"], serializer.poller(), body["product"], body["attributes"])
        token = read_token(request)
        if token is not None:
            return begin_anew(token, statement, body["deviceId"], actor)
        issued = issue_code(statement=statement, actor=actor)
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
            200: PolymorphicProxySerializer("HandOverAnswer", [HandOverSerializer, SealedHandOverSerializer], None),
            202: PendingSerializer,
            400: _PROBLEM,
            403: _PROBLEM,
            404: _PROBLEM,
            410: _PROBLEM,
            429: _PROBLEM,
        },
        auth=[],
    )
    def post(self, request: Request) -> HttpResponseBase:
        serializer = PollRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        outcome = self._poll(request, serializer.validated_data, serializer.poller())
        if isinstance(outcome, HandOver):
            return HttpResponse(outcome.body, content_type="application/json", headers={"Cache-Control": "no-store"})
        return _pending(request, outcome)

    def _poll(self, request: Request, body: dict[str, Any], poller: Poller) -> Pending | HandOver:
        actor, context, url = self.actor(request), poll_context(request), base_url(request)
        token = read_token(request)
        if "serialNumber" in body:
            limits.check_poll(body["serialNumber"], poller, actor.network, context)
            statement = Statement(body["serialNumber"], poller, body["product"], body["attributes"])
            if token is not None:
                return poll_with_token(
                    token=token, statement=statement, requested_id=body["deviceId"], portal_url=url, actor=actor
                )
            return poll_by_serial(statement=statement, portal_url=url, actor=actor)
        if token is not None:
            problem = "With a provisioning token, poll with the serial number."
            raise InvalidRequest(problem, errors=[{"field": "serialNumber", "detail": problem}])
        limits.check_misses(actor.network)
        code = normalise_code(body["provisioningCode"])
        limits.check_poll(code or "", poller, actor.network, context)
        try:
            if code is None:
                raise UnknownCode()
            check_device_code(code=code, poller=poller, network=actor.network)
            return poll_by_code(code=code, poller=poller, portal_url=url, actor=actor)
        except UnknownCode:
            limits.count_miss(actor.network)
            raise


class AuthenticatedDeviceView(DeviceView):
    """A route for devices that have credentials: HTTP Basic with device id and device secret (RFC 7617)."""

    def get_authenticate_header(self, request: Request) -> str:
        return 'Basic realm="gangway"'

    def device(self, request: Request) -> AuthenticatedDevice:
        """Raises Unauthenticated."""
        device_id, secret = read_basic(request.headers.get("Authorization", ""))
        network = self.actor(request).network
        return authenticate_device(device_id=device_id, secret=secret, network=network)


class ConfirmView(AuthenticatedDeviceView):
    @extend_schema(
        operation_id="confirm",
        summary="Say that the credentials were kept",
        description="HTTP Basic with device id and device secret, which proves it. May be repeated.",
        tags=["provisioning"],
        request=None,
        responses={204: None, 401: _PROBLEM},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        confirm_hand_over(device_id=self.device(request).device_id, actor=self.actor(request))
        return Response(status=204)


class RotateView(AuthenticatedDeviceView):
    @extend_schema(
        operation_id="rotate",
        summary="Exchange the device secret for a new one",
        description=(
            "HTTP Basic with device id and present device secret. Answers 201 with a new secret; the present one works "
            "on for a grace period. 200 when it was exchanged before: the secret made then is dead, here is another."
        ),
        tags=["provisioning"],
        request=None,
        responses={201: RotatedSecretSerializer, 200: RotatedSecretSerializer, 401: _PROBLEM},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        credential_id = self.device(request).credential_id
        rotated = rotate_device_secret(credential_id=credential_id, actor=self.actor(request))
        answer = {"deviceSecret": rotated.secret, "previousExpiresAt": rfc3339(rotated.parent_expires_at)}
        return Response(answer, status=200 if rotated.again else 201, headers={"Cache-Control": "no-store"})


def base_url(request: Request) -> str:
    """Where this portal is reached: as configured, else as this request came."""
    url: str = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
    return url


def _pending(request: Request, pending: Pending) -> Response:
    context = poll_context(request)
    # A held poll waits here, and not between two requests; one that is told something new is not held any longer.
    poll_after = 1 if context.is_held else settings.POLL_INTERVAL
    answer: dict[str, Any] = {"status": "pending", "pollAfter": poll_after}
    if pending.match_number:
        answer["matchNumber"] = pending.match_number
    if pending.verification_code:
        answer["verificationCode"] = pending.verification_code
    if pending.decide_until is not None:
        answer["expiresAt"] = rfc3339(pending.decide_until)
    context.enrolment_id = pending.enrolment_id
    context.is_news = bool(pending.match_number)
    headers = {"Retry-After": str(poll_after), "Cache-Control": "no-store"}
    return Response(answer, status=202, headers=headers)
