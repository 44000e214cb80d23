"""Polls: what is there for a device that asks."""

import uuid
from dataclasses import dataclass

from devices.actors import Actor
from portal.lib.clock import now
from portal.lib.tokens import matches
from provisioning.errors import AlreadyProvisioned, CodeExpired, EnrolmentClosed, UnknownCode, WrongPoller
from provisioning.models import Enrolment
from provisioning.pollers import Poller, PollerKind
from provisioning.services.codes import expires_in_grace, find_code
from provisioning.services.enrolments import Statement, find_or_begin, note_poll
from provisioning.services.handover import HandOver, hand_over, repeat
from provisioning.states import CodeState, EnrolmentState


@dataclass(frozen=True, slots=True)
class Pending:
    """Nobody has let the device in yet. `enrolment_id` is what a held poll waits for.

    `match_number` is two digits for the device to show, once a person needs them to tell it from a rival.
    """

    enrolment_id: uuid.UUID
    match_number: str = ""


def poll_by_serial(*, statement: Statement, portal_url: str, actor: Actor) -> Pending | HandOver:
    """What is there for a device that names its serial number. Begins an enrolment for one that was never seen.

    `portal_url` is where this portal is reached, for regions that do not say so themselves.
    Raises AlreadyProvisioned, WrongPoller, EnrolmentClosed.
    """
    return _answer(find_or_begin(statement=statement, actor=actor), statement.poller, portal_url, actor)


def poll_by_code(*, code: str, poller: Poller, portal_url: str, actor: Actor) -> Pending | HandOver:
    """What is there for a device that names a (normalised) code it was given.

    Raises UnknownCode, CodeExpired, AlreadyProvisioned, WrongPoller, EnrolmentClosed.
    """
    row = find_code(code)
    if row is None:
        raise UnknownCode()
    enrolment = row.enrolment
    if not matches(enrolment.poller_digest, poller.digest):
        raise WrongPoller("The enrolment belongs to another poller.")
    if enrolment.is_handed_over:
        return _answer(enrolment, poller, portal_url, actor)
    if row.state in (CodeState.REVOKED, CodeState.EXPIRED) or now() >= expires_in_grace(row):
        raise CodeExpired("Ask for another code.")
    return _answer(enrolment, poller, portal_url, actor)


def _answer(enrolment: Enrolment, poller: Poller, portal_url: str, actor: Actor) -> Pending | HandOver:
    match enrolment.state:
        case EnrolmentState.WAITING:
            note_poll(enrolment=enrolment, network=actor.network)
            return Pending(enrolment.public_id, enrolment.match_number)
        case EnrolmentState.UNLOCKED:
            return hand_over(enrolment=enrolment, poller=poller, portal_url=portal_url, actor=actor)
        case EnrolmentState.DELIVERED if poller.kind != PollerKind.PLAIN:
            return repeat(enrolment=enrolment, poller=poller)
        case EnrolmentState.DELIVERED | EnrolmentState.CONFIRMED:
            raise AlreadyProvisioned("The credentials were handed out.")
    raise EnrolmentClosed(f"The enrolment is {enrolment.get_state_display()}.")
