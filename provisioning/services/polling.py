"""Polls, and the hand-over of credentials: once."""

import logging
import uuid
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition
from devices.hints import hint_device_changed
from devices.services.credentials import issue_device_secret
from portal.lib.clock import now
from portal.lib.logs import log_event
from portal.lib.tokens import matches
from provisioning.errors import AlreadyProvisioned, CodeExpired, EnrolmentClosed, UnknownCode, WrongPollToken
from provisioning.models import Enrolment
from provisioning.services.codes import expires_in_grace, find_code
from provisioning.services.enrolments import Statement, find_or_begin, note_poll, poll_token_digest
from provisioning.services.moves import move_enrolment
from provisioning.states import CodeState, EnrolmentState

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pending:
    """Nobody has let the device in yet. `enrolment_id` is what a held poll waits for."""

    enrolment_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class HandOver:
    """What a device is given, once. The secret exists only here."""

    device_id: uuid.UUID
    device_secret: str = field(repr=False)
    tenant_id: uuid.UUID
    region: str
    portal_url: str
    hub_url: str


def poll_by_serial(*, statement: Statement, actor: Actor) -> Pending | HandOver:
    """What is there for a device that names its serial number. Begins an enrolment for one that was never seen.

    Raises AlreadyProvisioned, WrongPollToken, EnrolmentClosed.
    """
    return _answer(find_or_begin(statement=statement, actor=actor), actor)


def poll_by_code(*, code: str, poll_token: str, actor: Actor) -> Pending | HandOver:
    """What is there for a device that names a (normalised) code it was given.

    Raises UnknownCode, CodeExpired, AlreadyProvisioned, WrongPollToken, EnrolmentClosed.
    """
    row = find_code(code)
    if row is None:
        raise UnknownCode()
    enrolment = row.enrolment
    if not matches(enrolment.poll_token_digest, poll_token_digest(poll_token)):
        raise WrongPollToken("The enrolment has another poll token.")
    if enrolment.is_handed_over:
        raise AlreadyProvisioned("The credentials were handed out.")
    if row.state in (CodeState.REVOKED, CodeState.EXPIRED) or now() >= expires_in_grace(row):
        raise CodeExpired("Ask for another code.")
    return _answer(enrolment, actor)


def _answer(enrolment: Enrolment, actor: Actor) -> Pending | HandOver:
    if enrolment.state == EnrolmentState.WAITING:
        note_poll(enrolment=enrolment, network=actor.network)
        return Pending(enrolment.public_id)
    if enrolment.state == EnrolmentState.UNLOCKED:
        return _hand_over(enrolment, actor)
    if enrolment.is_handed_over:
        raise AlreadyProvisioned("The credentials were handed out.")
    raise EnrolmentClosed(f"The enrolment is {enrolment.get_state_display()}.")


def _hand_over(enrolment: Enrolment, actor: Actor) -> HandOver:
    """Of all that poll for one unlocked device, the one whose UPDATE finds it unlocked gets the secret."""
    try:
        with transaction.atomic():
            move_enrolment(enrolment=enrolment, to=EnrolmentState.DELIVERED, actor=actor)
            device = enrolment.device
            if device is None:
                raise InvalidTransition("The enrolment has no device.")
            minted = issue_device_secret(device=device, actor=actor)
            hint_device_changed(device.tenant.public_id, device.public_id, "device")
    except (InvalidTransition, IntegrityError):
        raise AlreadyProvisioned("The credentials were handed out.") from None
    region = device.tenant.region
    log_event(
        logger, "credentials-handed-over", serial=device.serial_number, device=device.public_id, network=actor.network
    )
    return HandOver(
        device_id=device.public_id,
        device_secret=minted.secret,
        tenant_id=device.tenant.public_id,
        region=region.code,
        portal_url=region.portal_url,
        hub_url=region.hub_url,
    )
