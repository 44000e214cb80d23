"""Issuing codes, and finding what a code stands for."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition, Unavailable
from portal.lib.clock import now
from portal.lib.logs import log_event
from portal.lib.tokens import keyed_digest
from provisioning.codes import make_code
from provisioning.errors import TooManyCodes
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services.enrolments import Statement, find_or_begin, note_poll, seconds_until
from provisioning.services.moves import revoke_issued_code
from provisioning.states import CodeState, EnrolmentState

logger = logging.getLogger(__name__)

_TRIES = 20


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A new code. Only its digest is stored; `lifetime` is in seconds."""

    code: str = field(repr=False)
    expires_at: datetime
    lifetime: int


def code_digest(code: str) -> str:
    """What is stored of a normalised code. Keyed: 31^6 codes can be tried out, the key cannot."""
    return keyed_digest(settings.SECRET_KEY, "provisioning-code", code)


def issue_code(*, statement: Statement, actor: Actor) -> IssuedCode:
    """A code for the device's enrolment, which begins here if the device was never seen. An earlier code is replaced.

    Raises TooManyCodes over three in five minutes, and whatever `find_or_begin` raises; InvalidTransition when
    the device was let in already and has only to poll.
    """
    enrolment = find_or_begin(statement=statement, actor=actor)
    _refuse_unless_waiting(enrolment)
    note_poll(enrolment=enrolment, network=actor.network)
    with transaction.atomic():
        locked = Enrolment.objects.select_for_update().get(pk=enrolment.pk)
        # It may have been let in, or have ended, since it was found.
        _refuse_unless_waiting(locked)
        _refuse_too_many(locked)
        revoke_issued_code(enrolment=locked, actor=actor, reason="replaced by a newer code")
        issued = _store_new_code(locked)
        _update_statement(locked, statement)
    log_event(logger, "code-issued", serial=enrolment.serial_number, network=actor.network)
    return issued


def find_code(code: str) -> ProvisioningCode | None:
    """The row of a normalised code, with its enrolment, in whatever state."""
    return (
        ProvisioningCode.objects.filter(digest=code_digest(code))
        .select_related("enrolment__device", "enrolment__tenant")
        .first()
    )


def _refuse_unless_waiting(enrolment: Enrolment) -> None:
    if enrolment.state != EnrolmentState.WAITING:
        raise InvalidTransition("The device was let in: poll with the serial number.")


def _refuse_too_many(enrolment: Enrolment) -> None:
    window = timedelta(seconds=settings.PROVISIONING_CODE_LIFETIME)
    moment = now()
    recent = list(
        ProvisioningCode.objects.filter(enrolment=enrolment, issued_at__gt=moment - window)
        .order_by("issued_at")
        .values_list("issued_at", flat=True)
    )
    if len(recent) >= settings.PROVISIONING_CODES_PER_LIFETIME:
        raise TooManyCodes("Use the code you have.", retry_after=seconds_until(recent[0] + window, moment))


def _store_new_code(enrolment: Enrolment) -> IssuedCode:
    lifetime = settings.PROVISIONING_CODE_LIFETIME
    for _ in range(_TRIES):
        code, moment = make_code(), now()
        try:
            with transaction.atomic():
                row = ProvisioningCode.objects.create(
                    enrolment=enrolment,
                    digest=code_digest(code),
                    issued_at=moment,
                    expires_at=moment + timedelta(seconds=lifetime),
                )
        except IntegrityError:
            # In use, or used within the last day: the constraint on the digest says so.
            continue
        return IssuedCode(code, row.expires_at, lifetime)
    raise Unavailable("No free code was found.", retry_after=lifetime)


def _update_statement(enrolment: Enrolment, statement: Statement) -> None:
    """A device may learn more about itself between two codes; what it leaves out stays as it was."""
    changes = {}
    if statement.product and statement.product != enrolment.stated_product:
        changes["stated_product"] = statement.product
    if statement.attributes and statement.attributes != enrolment.attributes:
        changes["attributes"] = statement.attributes  # type: ignore[assignment]
    if changes:
        Enrolment.objects.filter(pk=enrolment.pk).update(**changes)


def expires_in_grace(code: ProvisioningCode) -> datetime:
    """Until when a device may poll with its code: a code that let it in just before its end must not strand it."""
    if code.state == CodeState.REDEEMED and code.redeemed_at is not None:
        return code.redeemed_at + timedelta(seconds=settings.PROVISIONING_CODE_LIFETIME)
    return code.expires_at
