"""Finding the enrolment a device speaks of, and beginning one for a device that was never seen."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition
from devices.serials import serial_key
from portal.lib.clock import now
from portal.lib.tokens import keyed_digest
from provisioning.errors import AlreadyProvisioned, EnrolmentClosed, WrongPollToken
from provisioning.models import Enrolment, lifetime
from provisioning.services.moves import begin_history
from provisioning.services.removal import end_enrolment
from provisioning.states import EnrolmentState

# How long a declined device is told to stay away.
DECLINE_PAUSE = timedelta(hours=1)
_POLL_NOTED_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a device says about itself. Nothing of it is proven."""

    serial_number: str
    poll_token: str = ""
    product: str = ""
    attributes: dict[str, Any] | None = None


def poll_token_digest(poll_token: str) -> str:
    """Keyed, because a device could choose a poor token. "" stays "": a plain poller."""
    return keyed_digest(settings.SECRET_KEY, "poll-token", poll_token) if poll_token else ""


def find_or_begin(*, statement: Statement, actor: Actor) -> Enrolment:
    """The live enrolment of the device that speaks, or a new one.

    Raises AlreadyProvisioned when its serial number came aboard, WrongPollToken when it was let in for another
    poller, EnrolmentClosed when it was declined within the last hour.
    """
    for _ in range(3):
        try:
            return _find(statement, _current(statement)) or _begin(statement, actor)
        except (IntegrityError, InvalidTransition):
            # The same device asked twice at once: the other request began it, or ended its predecessor.
            continue
    raise EnrolmentClosed("The enrolment could not be begun.", retry_after=settings.POLL_INTERVAL)


def note_poll(*, enrolment: Enrolment, network: str | None) -> None:
    """Remember that the device still polls. At most one write in half a minute."""
    moment = now()
    if moment - enrolment.last_polled_at > _POLL_NOTED_EVERY or enrolment.network != network:
        Enrolment.objects.filter(pk=enrolment.pk).update(last_polled_at=moment, network=network)


def expire_enrolment(*, enrolment: Enrolment) -> None:
    """Move a stale enrolment to its end. Raises InvalidTransition when somebody else moved it."""
    end_enrolment(enrolment=enrolment, to=EnrolmentState.EXPIRED, actor=Actor.system(), reason="its time was over")


def _current(statement: Statement) -> list[Enrolment]:
    """The live enrolments of the serial number. Those whose time is over end here, also other pollers': no sweep has
    to run for that.
    """
    moment = now()
    rows = list(Enrolment.objects.live().filter(serial_key=serial_key(statement.serial_number)))
    stale = [row for row in rows if _is_stale(row, moment)]
    for enrolment in stale:
        expire_enrolment(enrolment=enrolment)
    return [row for row in rows if row not in stale]


def _find(statement: Statement, rows: list[Enrolment]) -> Enrolment | None:
    digest = poll_token_digest(statement.poll_token)
    mine = next((row for row in rows if row.poll_token_digest == digest and not row.is_handed_over), None)
    if any(row.is_handed_over for row in rows):
        raise AlreadyProvisioned("A device with this serial number came aboard before.")
    if mine is None and any(row.state == EnrolmentState.UNLOCKED for row in rows):
        raise WrongPollToken("The serial number was let in for another poll token.")
    if mine is None:
        _refuse_if_declined(statement, digest)
    return mine


def _refuse_if_declined(statement: Statement, digest: str) -> None:
    moment = now()
    declined = (
        Enrolment.objects.filter(
            serial_key=serial_key(statement.serial_number),
            poll_token_digest=digest,
            state=EnrolmentState.DECLINED,
            ended_at__gt=moment - DECLINE_PAUSE,
        )
        .order_by("-ended_at")
        .first()
    )
    if declined is not None and declined.ended_at is not None:
        raise EnrolmentClosed(
            "The enrolment was declined.", retry_after=seconds_until(declined.ended_at + DECLINE_PAUSE, moment)
        )


def seconds_until(end: datetime, moment: datetime) -> int:
    """Whole seconds, at least 1, after which `end` is certainly over."""
    return max(1, int((end - moment).total_seconds()) + 1)


def _is_stale(enrolment: Enrolment, moment: datetime) -> bool:
    match enrolment.state:
        case EnrolmentState.WAITING:
            return enrolment.last_polled_at <= moment - lifetime()
        case EnrolmentState.UNLOCKED:
            return enrolment.unlocked_at is not None and enrolment.unlocked_at <= moment - lifetime()
    return False


@transaction.atomic
def _begin(statement: Statement, actor: Actor) -> Enrolment:
    moment = now()
    enrolment = Enrolment.objects.create(
        serial_number=statement.serial_number,
        serial_key=serial_key(statement.serial_number),
        poll_token_digest=poll_token_digest(statement.poll_token),
        stated_product=statement.product,
        attributes=statement.attributes or {},
        network=actor.network,
        created_at=moment,
        last_polled_at=moment,
    )
    begin_history(enrolment=enrolment, actor=actor)
    return enrolment
