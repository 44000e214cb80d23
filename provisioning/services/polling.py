"""Polls: what is there for a device that asks."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from devices.actors import Actor
from portal.lib.clock import now
from portal.lib.tokens import matches
from provisioning.errors import AlreadyProvisioned, CodeExpired, EnrolmentClosed, UnknownCode, WrongPoller
from provisioning.models import Enrolment, ProvisioningToken
from provisioning.pollers import Poller, PollerKind
from provisioning.services.codes import expires_in_grace, find_code
from provisioning.services.enrolments import Statement, find_or_begin, note_poll
from provisioning.services.handover import HandOver, hand_over, repeat
from provisioning.services.operations import begin_operation, find_operation
from provisioning.states import CodeState, EnrolmentState


@dataclass(frozen=True, slots=True)
class Pending:
    """Nobody has let the device in yet. `enrolment_id` is what a held poll waits for.

    `match_number` is two digits for the device to show, once a person needs them to tell it from a rival;
    `verification_code` what a device with a provisioning token shows, for the person to compare, until `decide_until`.
    """

    enrolment_id: uuid.UUID
    match_number: str = ""
    verification_code: str = ""
    decide_until: datetime | None = None


def poll_by_serial(*, statement: Statement, portal_url: str, actor: Actor) -> Pending | HandOver:
    """What is there for a device that names its serial number. Begins an enrolment for one that was never seen.

    `portal_url` is where this portal is reached, for regions that do not say so themselves.
    One that was let in before any device came is the first poller's. Raises AlreadyProvisioned, WrongPoller,
    EnrolmentClosed.
    """
    enrolment = find_or_begin(statement=statement, actor=actor)
    if enrolment.is_unbound:
        return _take(enrolment, statement, portal_url, actor)
    return _answer(enrolment, statement.poller, portal_url, actor)


def poll_with_token(
    *, token: ProvisioningToken, statement: Statement, requested_id: str = "", portal_url: str, actor: Actor
) -> Pending | HandOver:
    """What is there for a device that presents a provisioning token and names its serial number. Begins an operation
    for one that was never seen.

    Raises as `poll_by_serial`, and as `begin_operation` where it begins one.
    """
    enrolment = find_operation(token=token, statement=statement)
    if enrolment is None:
        enrolment = begin_operation(token=token, statement=statement, requested_id=requested_id, actor=actor)
    if enrolment.is_unbound:
        return _take(enrolment, statement, portal_url, actor)
    return _answer(enrolment, statement.poller, portal_url, actor)


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


def _take(window: Enrolment, statement: Statement, portal_url: str, actor: Actor) -> HandOver:
    return hand_over(enrolment=window, poller=statement.poller, portal_url=portal_url, actor=actor, statement=statement)


def _answer(enrolment: Enrolment, poller: Poller, portal_url: str, actor: Actor) -> Pending | HandOver:
    match enrolment.state:
        case EnrolmentState.WAITING:
            note_poll(enrolment=enrolment, network=actor.network)
            return Pending(
                enrolment.public_id, enrolment.match_number, enrolment.verification_code, enrolment.decide_until
            )
        case EnrolmentState.UNLOCKED:
            return hand_over(enrolment=enrolment, poller=poller, portal_url=portal_url, actor=actor)
        case EnrolmentState.DELIVERED if poller.kind != PollerKind.PLAIN:
            return repeat(enrolment=enrolment, poller=poller)
        case EnrolmentState.DELIVERED | EnrolmentState.CONFIRMED:
            raise AlreadyProvisioned("The credentials were handed out.")
    raise EnrolmentClosed(f"The enrolment is {enrolment.get_state_display()}.")
