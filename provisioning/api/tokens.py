"""Provisioning tokens on the device routes: `Authorization: Bearer …` (RFC 6750)."""

from rest_framework.request import Request
from rest_framework.response import Response

from devices.actors import Actor
from devices.errors import InvalidTransition, Unauthenticated
from portal.lib.clock import now, rfc3339
from provisioning.models import Enrolment, ProvisioningToken
from provisioning.services.enrolments import Statement, seconds_until
from provisioning.services.operations import begin_operation, find_operation
from provisioning.services.tokens import find_token
from provisioning.states import EnrolmentState


def read_token(request: Request) -> ProvisioningToken | None:
    """The provisioning token a device presents; None when it presents nothing. Raises Unauthenticated."""
    header = request.headers.get("Authorization", "")
    if not header:
        return None
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("The Authorization header must be: Bearer and a provisioning token.")
    return find_token(secret=secret.strip())


def begin_anew(token: ProvisioningToken, statement: Statement, requested_id: str, actor: Actor) -> Response:
    """Begin an operation for a device that asked for a code. One that waits of the same device is superseded."""
    present = find_operation(token=token, statement=statement, begins_anew=True)
    if present is not None and present.state == EnrolmentState.UNLOCKED:
        raise InvalidTransition("The device was let in: poll with the serial number.")
    operation = begin_operation(token=token, statement=statement, requested_id=requested_id, actor=actor)
    return Response(_document(operation), status=201, headers={"Cache-Control": "no-store"})


def _document(operation: Enrolment) -> dict[str, str | int]:
    until = operation.decide_until or now()
    return {
        "operationId": str(operation.public_id),
        "status": "waiting" if operation.state == EnrolmentState.WAITING else "approved",
        "verificationCode": operation.verification_code,
        "expiresAt": rfc3339(until),
        "expiresIn": seconds_until(until, now()) - 1,
    }
