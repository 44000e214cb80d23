"""Issuing, checking and revoking what devices authenticate with."""

import logging
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from devices.actors import Actor
from devices.errors import Unauthenticated
from devices.models import CloseReason, Credential, CredentialKind, Device, DeviceState, Subject
from devices.services.history import record_move
from devices.services.sessions import end_sessions
from portal.lib.clock import now
from portal.lib.logs import log_event
from portal.lib.tokens import MintedSecret, digest, mint

logger = logging.getLogger(__name__)

_LAST_USED_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AuthenticatedDevice:
    """What a door needs to know of the device behind a credential."""

    device_id: int
    public_id: uuid.UUID
    tenant_id: uuid.UUID
    credential_id: int


def issue_device_secret(*, device: Device, actor: Actor) -> MintedSecret:
    """Make the device's secret. The answer is the only place where it exists. Runs in the caller's transaction.

    Raises IntegrityError when the device has a live one.
    """
    return _issue(device=device, actor=actor, parent=None)


def authenticate_device(*, device_id: str, secret: str, network: str | None) -> AuthenticatedDevice:
    """The device a secret belongs to. Raises Unauthenticated, without saying what was wrong."""
    moment = now()
    credential = (
        Credential.objects.usable(moment)
        .filter(digest=digest(secret), kind=CredentialKind.DEVICE_SECRET, device__state=DeviceState.ACTIVE)
        .select_related("device__tenant")
        .first()
    )
    # The digest was looked up by an index, which is not constant time; that tells nothing about 256 random bits.
    if credential is None or str(credential.device.public_id) != device_id.lower():
        log_event(logger, "device-refused", level=logging.WARNING, device=_shown(device_id), network=network)
        raise Unauthenticated("The device id or its secret is not valid.")
    _note_use(credential, moment, network)
    device = credential.device
    return AuthenticatedDevice(device.pk, device.public_id, device.tenant.public_id, credential.pk)


@dataclass(frozen=True, slots=True)
class RotatedSecret:
    """A new secret. `again` tells that the one made before, from the same parent, was never used and is dead now."""

    secret: str = field(repr=False)
    again: bool
    parent_expires_at: datetime


@transaction.atomic
def rotate_device_secret(*, credential_id: int, actor: Actor) -> RotatedSecret:
    """Give a device that presents a usable secret a new one.

    The presented one keeps working for a grace period (CREDENTIAL_GRACE), its own parent dies at once. Asked again
    within the grace, which a device does that lost the answer, it makes another new one and the lost one dies:
    however often the answer is lost, the device ends with one that works. Raises Unauthenticated when it was revoked
    or has expired meanwhile.
    """
    moment = now()
    device_id = Credential.objects.values_list("device_id", flat=True).get(pk=credential_id)
    # Rotations of one device are put in order here.
    device = Device.objects.select_for_update().get(pk=device_id)
    presented = Credential.objects.usable(moment).filter(pk=credential_id).first()
    if presented is None:
        raise Unauthenticated("The secret was revoked or has expired.")
    again = presented.replaced_at is not None
    if again:
        stale = Credential.objects.filter(parent=presented, revoked_at=None)
        reason = "its answer was lost"
    else:
        presented.replaced_at = moment
        grace_end = moment + timedelta(seconds=settings.CREDENTIAL_GRACE)
        presented.expires_at = min(presented.expires_at or grace_end, grace_end)
        presented.save(update_fields=["replaced_at", "expires_at"])
        _record(presented, device, "issued", "replaced", actor)
        stale = Credential.objects.filter(children=presented, revoked_at=None)
        reason = "its child was rotated"
    for credential in stale:
        _revoke(credential, device, actor, reason)
    minted = _issue(device=device, actor=actor, parent=presented)
    log_event(logger, "secret-rotated", device=device.public_id, again=again)
    return RotatedSecret(minted.secret, again, presented.expires_at or moment)


@transaction.atomic
def revoke_credentials(*, device: Device, actor: Actor, reason: str) -> int:
    """Revoke all live credentials of a device and end its session at once. Returns how many there were."""
    live = list(Credential.objects.filter(device=device, revoked_at=None))
    for credential in live:
        _revoke(credential, device, actor, reason)
    end_sessions(device=device, reason=CloseReason.REVOKED)
    if live:
        log_event(logger, "credentials-revoked", device=device.public_id, count=len(live), reason=reason)
    return len(live)


def _issue(*, device: Device, actor: Actor, parent: Credential | None) -> MintedSecret:
    minted, moment, lifetime = mint("gwd"), now(), device.credential_lifetime
    credential = Credential.objects.create(
        device=device,
        kind=CredentialKind.DEVICE_SECRET,
        prefix=minted.prefix,
        digest=minted.digest,
        issued_at=moment,
        expires_at=moment + timedelta(seconds=lifetime) if lifetime is not None else None,
        parent=parent,
    )
    _record(credential, device, "", "issued", actor)
    return minted


def _revoke(credential: Credential, device: Device, actor: Actor, reason: str) -> None:
    changed = Credential.objects.filter(pk=credential.pk, revoked_at=None).update(
        revoked_at=now(), revoked_reason=reason[:100]
    )
    if changed:
        _record(credential, device, "replaced" if credential.replaced_at else "issued", "revoked", actor, reason)


def _note_use(credential: Credential, moment: datetime, network: str | None) -> None:
    # One write a minute, not one a connection: a reconnect storm must not become a write storm.
    fresh = credential.last_used_at and moment - credential.last_used_at < _LAST_USED_RESOLUTION
    if not fresh or credential.last_used_network != network:
        Credential.objects.filter(pk=credential.pk).update(last_used_at=moment, last_used_network=network)


def _record(
    credential: Credential, device: Device, from_state: str, to_state: str, actor: Actor, reason: str = ""
) -> None:
    record_move(
        subject=Subject.CREDENTIAL,
        subject_id=credential.public_id,
        from_state=from_state,
        to_state=to_state,
        actor=actor,
        reason=reason,
        tenant_id=device.tenant_id,
        device_id=device.pk,
    )


def _shown(device_id: str) -> str:
    """A name for the log. Anything else than an id could be a secret in the wrong field."""
    try:
        return str(uuid.UUID(device_id))
    except ValueError:
        return "not-a-device-id"
