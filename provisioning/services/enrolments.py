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
from provisioning.errors import AlreadyProvisioned, EnrolmentClosed, WrongPoller
from provisioning.models import Enrolment, lifetime
from provisioning.pollers import Poller, PollerKind
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
    poller: Poller = Poller()
    product: str = ""
    attributes: dict[str, Any] | None = None


def find_or_begin(*, statement: Statement, actor: Actor) -> Enrolment:
    """The live enrolment of the device that speaks, or a new one.

    Raises AlreadyProvisioned when its serial number came aboard, WrongPoller when it was let in for another
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
    poller = statement.poller
    mine = next((row for row in rows if row.poller_digest == poller.digest), None)
    if mine is not None and not (mine.is_handed_over and poller.kind == PollerKind.PLAIN):
        return mine
    _refuse_other_pollers(rows)
    if mine is None:
        _refuse_if_declined(statement, poller.digest)
    return mine


def _refuse_other_pollers(rows: list[Enrolment]) -> None:
    """Nobody but its poller learns more of a serial number that was let in than that it was."""
    for row in rows:
        delivered = row.state == EnrolmentState.DELIVERED and row.poller_kind != PollerKind.PLAIN
        if delivered or row.state == EnrolmentState.UNLOCKED:
            raise WrongPoller("The serial number was let in for another poller.")
        if row.is_handed_over:
            raise AlreadyProvisioned("A device with this serial number came aboard before.")


def _refuse_if_declined(statement: Statement, digest: str) -> None:
    moment = now()
    declined = (
        Enrolment.objects.filter(
            serial_key=serial_key(statement.serial_number),
            poller_digest=digest,
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
        poller_kind=statement.poller.kind,
        poller_digest=statement.poller.digest,
        public_key=statement.poller.public_key,
        stated_product=statement.product,
        attributes=statement.attributes or {},
        network=actor.network,
        created_at=moment,
        last_polled_at=moment,
    )
    begin_history(enrolment=enrolment, actor=actor)
    return enrolment
