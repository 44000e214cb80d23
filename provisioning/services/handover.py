"""The hand-over of credentials: once, and yet not lossy.

A plain poller gets the secret in the one answer that finds its enrolment unlocked. A poller that bound its enrolment
to a key or a token gets the identical bytes again until it confirms or the time is over; nobody else ever gets any.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition
from devices.hints import hint_device_changed
from devices.models import Device
from devices.services.credentials import issue_device_secret
from devices.services.inventory import reset_device
from portal.lib.clock import now, rfc3339
from portal.lib.logs import log_event
from provisioning.errors import AlreadyProvisioned, WrongPoller
from provisioning.models import Enrolment
from provisioning.pollers import Poller, PollerKind
from provisioning.sealing import (
    SUITE,
    NotOpened,
    encode,
    open_with_token,
    read_public_key,
    seal_to_key,
    seal_with_token,
)
from provisioning.services.enrolments import Statement
from provisioning.services.moves import move_enrolment
from provisioning.services.unlocking import supersede_waiting
from provisioning.states import EnrolmentState

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HandOver:
    """The answer to the device, byte for byte: JSON. It holds the secret, in clear or sealed."""

    body: bytes = field(repr=False)


def hand_over(
    *, enrolment: Enrolment, poller: Poller, portal_url: str, actor: Actor, statement: Statement | None = None
) -> HandOver:
    """Give an unlocked enrolment's poller its credentials, which are made here.

    An unbound enrolment is bound to the poller by the same conditional UPDATE that hands it over: of many, one.
    `statement` is what that one says about itself.
    Raises AlreadyProvisioned when another request was first and this poller cannot be given the same again.
    """
    try:
        with transaction.atomic():
            reason, binding = _binding(enrolment, poller, statement, actor)
            move_enrolment(enrolment=enrolment, to=EnrolmentState.DELIVERED, actor=actor, reason=reason, **binding)
            device = enrolment.device
            if device is None:
                raise InvalidTransition("The enrolment has no device.")
            if binding:
                _note_taken(enrolment, device, actor)
            if device.credentials.filter(revoked_at=None).exists():
                # It was let in again; until this moment what it had before was good.
                reset_device(device=device, actor=actor, reason="replaced by those of a newer enrolment")
            secret = issue_device_secret(device=device, actor=actor).secret
            document = _document(device, secret, portal_url)
            answer = _seal(enrolment, poller, document)
            hint_device_changed(device.tenant.public_id, device.public_id, "device")
    except (InvalidTransition, IntegrityError):
        return repeat(enrolment=Enrolment.objects.get(pk=enrolment.pk), poller=poller)
    log_event(
        logger,
        "credentials-handed-over",
        serial=enrolment.serial_number,
        device=device.public_id,
        to=poller.kind.value,
        network=actor.network,
    )
    return answer


def repeat(*, enrolment: Enrolment, poller: Poller) -> HandOver:
    """The identical bytes again, for the poller they are for.

    Raises AlreadyProvisioned for a plain poller, after the confirmation, and when the time to confirm is over;
    WrongPoller for anybody else.
    """
    if poller.digest != enrolment.poller_digest:
        raise WrongPoller("The enrolment belongs to another poller.")
    sealed, until = enrolment.sealed_hand_over, enrolment.sealed_until
    if sealed is None or until is None:
        raise AlreadyProvisioned("The credentials were handed out.")
    if now() >= until:
        raise AlreadyProvisioned("The credentials were handed out, and not confirmed in time.")
    if poller.kind == PollerKind.KEY:
        return HandOver(_sealed_answer(bytes(sealed), until))
    try:
        return HandOver(open_with_token(poller.poll_token, enrolment.public_id.bytes, bytes(sealed)))
    except NotOpened:
        raise WrongPoller("The enrolment belongs to another poller.") from None


def _binding(
    enrolment: Enrolment, poller: Poller, statement: Statement | None, actor: Actor
) -> tuple[str, dict[str, Any]]:
    """Why, and with which fields, an unbound enrolment becomes the poller's. Nothing for one that has its poller."""
    if not enrolment.is_unbound:
        return "", {}
    fields = {
        "poller_kind": poller.kind,
        "poller_digest": poller.digest,
        "public_key": poller.public_key,
        "stated_product": statement.product if statement else "",
        "attributes": (statement.attributes if statement else None) or {},
        "network": actor.network,
        "last_polled_at": now(),
    }
    return "the first to poll within the window", fields


def _note_taken(enrolment: Enrolment, device: Device, actor: Actor) -> None:
    """What waits with the same serial number was too late; and the device speaks for the first time."""
    supersede_waiting(key=enrolment.serial_key, actor=actor, reason="another device took the window")
    if enrolment.attributes:
        device.attributes = enrolment.attributes
        device.save(update_fields=["attributes"])


def _seal(enrolment: Enrolment, poller: Poller, document: bytes) -> HandOver:
    """Store what can be repeated, in the transaction that makes the secret. A plain poller's answer cannot be."""
    if poller.kind == PollerKind.PLAIN:
        return HandOver(document)
    until = now() + timedelta(seconds=settings.CONFIRMATION_WINDOW)
    if poller.kind == PollerKind.KEY:
        sealed = seal_to_key(read_public_key(poller.public_key), document)
        answer = _sealed_answer(sealed, until)
    else:
        sealed = seal_with_token(poller.poll_token, enrolment.public_id.bytes, document)
        answer = document
    Enrolment.objects.filter(pk=enrolment.pk).update(sealed_hand_over=sealed, sealed_until=until)
    return HandOver(answer)


def _document(device: Device, secret: str, portal_url: str) -> bytes:
    region = device.tenant.region
    portal_url = region.portal_url or portal_url
    # Only what there is to say: a device without them is told nothing new.
    more: dict[str, str | int] = {"externalId": device.external_id} if device.external_id else {}
    if device.credential_lifetime is not None:
        more["deviceSecretExpiresIn"] = device.credential_lifetime
    return _json(
        {
            "status": "provisioned",
            "deviceId": str(device.public_id),
            "deviceSecret": secret,
            "tenantId": str(device.tenant.public_id),
            "dataResidency": region.code,
            "hubUrl": region.hub_url or f"ws{portal_url.removeprefix('http')}/hub/v1",
            "portalUrl": portal_url,
            **more,
        }
    )


def _sealed_answer(sealed: bytes, until: datetime) -> bytes:
    return _json({"status": "provisioned", "suite": SUITE, "sealed": encode(sealed), "confirmBy": rfc3339(until)})


def _json(document: Mapping[str, str | int]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
