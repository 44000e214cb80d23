"""Finding the enrolment a device speaks of, and beginning one for a device that was never seen."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition, TooManyRequests
from devices.serials import serial_key
from portal.lib.clock import now
from portal.lib.throttle import count
from provisioning.errors import AlreadyProvisioned, EnrolmentClosed, WrongPoller
from provisioning.models import Enrolment
from provisioning.pollers import Poller, PollerKind
from provisioning.services.admission import admit_listed
from provisioning.services.moves import begin_history
from provisioning.services.removal import end_enrolment
from provisioning.states import WITH_DEVICE_STATES, EnrolmentState

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
    """The live enrolment of the device that speaks, or a new one. One that is unlocked and unbound is anybody's.

    Raises AlreadyProvisioned when its serial number came aboard, WrongPoller when it was let in for another
    poller, EnrolmentClosed when it was declined within the last hour.
    """
    for _ in range(3):
        try:
            found = _find(statement, live_enrolments(key=serial_key(statement.serial_number)))
            return found or _settle(_begin(statement, actor), actor)
        except (IntegrityError, InvalidTransition):
            # The same device asked twice at once: the other request began it, or ended its predecessor.
            continue
    raise EnrolmentClosed("The enrolment could not be begun.", retry_after=settings.POLL_INTERVAL)


def note_poll(*, enrolment: Enrolment, network: str | None) -> None:
    """Remember that the device still polls. At most one write in half a minute."""
    moment = now()
    if moment - enrolment.last_polled_at > _POLL_NOTED_EVERY or enrolment.network != network:
        Enrolment.objects.filter(pk=enrolment.pk).update(last_polled_at=moment, network=network)


def expire_enrolment(*, enrolment: Enrolment, reason: str = "its time was over") -> None:
    """Move a stale enrolment to its end. Raises InvalidTransition when somebody else moved it."""
    end_enrolment(enrolment=enrolment, to=EnrolmentState.EXPIRED, actor=Actor.system(), reason=reason)


def live_enrolments(*, key: str) -> list[Enrolment]:
    """The live enrolments of a serial key. Those whose time is over end here, also other pollers': no sweep has to
    run for that.
    """
    moment = now()
    rows = list(Enrolment.objects.live().filter(serial_key=key).select_related("token"))
    stale = [row for row in rows if row.is_stale(moment)]
    for enrolment in stale:
        # Somebody else may move it first; the next look shows to where.
        with contextlib.suppress(InvalidTransition):
            expire_enrolment(enrolment=enrolment)
    return [row for row in rows if row not in stale]


def refuse_if_declined(*, key: str, poller: Poller) -> None:
    """Raise EnrolmentClosed when a person declined this poller within the last hour."""
    moment = now()
    declined = (
        Enrolment.objects.filter(
            serial_key=key,
            poller_digest=poller.digest,
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


def _find(statement: Statement, rows: list[Enrolment]) -> Enrolment | None:
    poller = statement.poller
    if window := next((row for row in rows if row.is_unbound), None):
        return window
    mine = next((row for row in rows if row.poller_digest == poller.digest), None)
    if mine is not None and not (mine.is_handed_over and poller.kind == PollerKind.PLAIN):
        return mine
    _refuse_other_pollers(rows)
    if mine is None:
        refuse_if_declined(key=serial_key(statement.serial_number), poller=poller)
    return mine


def _refuse_other_pollers(rows: list[Enrolment]) -> None:
    """Nobody but its poller learns more of a serial number that was let in than that it was."""
    for row in rows:
        delivered = row.state == EnrolmentState.DELIVERED and row.poller_kind != PollerKind.PLAIN
        if delivered or row.state == EnrolmentState.UNLOCKED:
            raise WrongPoller("The serial number was let in for another poller.")
        if row.is_handed_over:
            raise AlreadyProvisioned("A device with this serial number came aboard before.")


def seconds_until(end: datetime, moment: datetime) -> int:
    """Whole seconds, at least 1, after which `end` is certainly over."""
    return max(1, int((end - moment).total_seconds()) + 1)


def _settle(enrolment: Enrolment, actor: Actor) -> Enrolment:
    """What stands of an enrolment that was just begun. Raises InvalidTransition when it does not.

    The serial number may have been let in at the same moment, each not seeing the other's row. Both look again after
    their commit, so one of them finds the other's: what was let in stays, and is what this poller has to look at.
    """
    let_in = Enrolment.objects.filter(serial_key=enrolment.serial_key, state__in=WITH_DEVICE_STATES)
    if not let_in.exists():
        return admit_listed(enrolment=enrolment)
    end_enrolment(
        enrolment=enrolment, to=EnrolmentState.SUPERSEDED, actor=actor, reason="its serial number was let in meanwhile"
    )
    raise InvalidTransition("The serial number was let in meanwhile.")


def _begin(statement: Statement, actor: Actor) -> Enrolment:
    # Anybody may make serial numbers up; a whole hall of devices behind one address may not be kept out.
    if count(f"begun:{actor.network}", window=60) > settings.ENROLMENTS_PER_MINUTE:
        raise TooManyRequests("Too many new devices came from this network.", retry_after=60)
    return _create(statement, actor)


@transaction.atomic
def _create(statement: Statement, actor: Actor) -> Enrolment:
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
