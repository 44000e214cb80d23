"""Reading and changing twins. Each change is one conditional UPDATE on the section's version, with its history row."""

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from devices.actors import Actor
from devices.errors import NotFound, PreconditionFailed, SessionReplaced, Unavailable
from devices.hints import hint_device_changed, hint_process
from devices.models import Device, Session
from portal.lib.clock import now, rfc3339
from portal.lib.logs import log_event
from twins.errors import InvalidFrame
from twins.limits import check_patch, check_size
from twins.merge import apply_patch, difference, leaves
from twins.models import Acknowledgement, Section, Twin, TwinChange, TwinKind

logger = logging.getLogger(__name__)

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Change:
    """What a patch came to. `patch` is what really changed: {} when nothing did, and then there is no new version."""

    twin_id: int
    version: int
    document: dict[str, Any]
    patch: dict[str, Any]


def create_twin(*, device: Device) -> Twin:
    """The device's first twin, in the caller's transaction."""
    moment = now()
    # Milliseconds: a later twin of the same name has a greater generation, without any memory of the earlier one.
    generation = int(moment.timestamp() * 1000)
    return Twin.objects.create(device=device, kind=TwinKind.DEVICE, generation=generation)


def get_twin(*, device_id: int) -> Twin:
    """The device's twin. Raises NotFound when the device is gone."""
    try:
        return Twin.objects.get(device_id=device_id, kind=TwinKind.DEVICE)
    except Twin.DoesNotExist:
        raise NotFound("The device has no twin.") from None


def change_desired(*, device: Device, patch: dict[str, Any], actor: Actor, if_version: int | None = None) -> Change:
    """Merge a patch into the desired section, and let the device know if it is connected.

    Raises InvalidPatch, TwinTooLarge, and PreconditionFailed when `if_version` is given and is not the present one.
    """
    with transaction.atomic():
        change = _change(device_id=device.pk, section=Section.DESIRED, patch=patch, actor=actor, if_version=if_version)
        if change.patch:
            _hint_owner(device.pk, change.version)
            hint_device_changed(device.tenant.public_id, device.public_id, "twin")
    if change.patch:
        log_event(logger, "desired-changed", device=device.public_id, version=change.version, by=actor.kind)
    return change


def change_tags(*, device: Device, patch: dict[str, Any], actor: Actor, if_version: int | None = None) -> Change:
    """Merge a patch into the tags, which no device ever sees. Raises as `change_desired`."""
    with transaction.atomic():
        change = _change(device_id=device.pk, section=Section.TAGS, patch=patch, actor=actor, if_version=if_version)
        if change.patch:
            hint_device_changed(device.tenant.public_id, device.public_id, "twin")
    return change


def record_reported(
    *, device_id: int, public_id: uuid.UUID, tenant_id: uuid.UUID, epoch: int, patch: dict[str, Any], actor: Actor
) -> Change:
    """Merge a device's patch into the reported section. When this returns, it is durable.

    Raises InvalidPatch, TwinTooLarge, and SessionReplaced when the connection it came on is not the device's newest.
    """
    with transaction.atomic():
        _require_epoch(device_id, epoch)
        change = _change(device_id=device_id, section=Section.REPORTED, patch=patch, actor=actor)
        if change.patch:
            hint_device_changed(tenant_id, public_id, "twin")
    log_event(logger, "reported", device=public_id, version=change.version, members=len(patch))
    return change


def record_acknowledgement(
    *,
    device_id: int,
    public_id: uuid.UUID,
    tenant_id: uuid.UUID,
    epoch: int,
    version: int,
    outcome: Acknowledgement,
    reason: str = "",
) -> None:
    """Note that the device applied a desired version, or failed to and why.

    Raises InvalidFrame for a version that does not exist yet, SessionReplaced. An older one than was acknowledged
    before is ignored.
    """
    with transaction.atomic():
        _require_epoch(device_id, epoch)
        twin = get_twin(device_id=device_id)
        if version > twin.desired_version:
            raise InvalidFrame(f"There is no desired version {version} yet; the newest is {twin.desired_version}.")
        changed = Twin.objects.filter(pk=twin.pk, acknowledged_version__lte=version).update(
            acknowledged_version=version,
            acknowledgement=outcome,
            acknowledgement_reason=reason[:512],
            acknowledged_at=now(),
        )
        if changed:
            hint_device_changed(tenant_id, public_id, "twin")
    log_event(logger, f"desired-{outcome}", device=public_id, version=version, reason=reason or None)


def _change(
    *, device_id: int, section: Section, patch: dict[str, Any], actor: Actor, if_version: int | None = None
) -> Change:
    check_patch(patch)
    for _ in range(_TRIES):
        twin = get_twin(device_id=device_id)
        version = getattr(twin, f"{section}_version")
        if if_version is not None and if_version != version:
            raise PreconditionFailed(f"The {section} section has version {version}.", version=version)
        before = getattr(twin, section)
        after = apply_patch(before, patch)
        effective = difference(before, after)
        if not effective:
            return Change(twin.pk, version, before, {})
        check_size(section, before, after)
        if _store(twin, section, version, after, effective, actor):
            return Change(twin.pk, version + 1, after, effective)
    raise Unavailable("The twin changes too fast.", retry_after=1)


def _store(
    twin: Twin, section: Section, version: int, after: dict[str, Any], effective: dict[str, Any], actor: Actor
) -> bool:
    """False when somebody else was first: the caller merges again, into what they wrote."""
    moment = now()
    fields: dict[str, Any] = {section: after, f"{section}_version": version + 1}
    if section != Section.TAGS:
        fields[f"{section}_metadata"] = _metadata(getattr(twin, f"{section}_metadata"), effective, after, moment)
    changed = Twin.objects.filter(pk=twin.pk, **{f"{section}_version": version}).update(**fields)
    if not changed:
        return False
    TwinChange.objects.create(
        twin=twin,
        section=section,
        version=version + 1,
        patch=effective,
        at=moment,
        actor=actor.kind,
        user_id=actor.user_id,
        request_id=actor.request_id,
    )
    return True


def _metadata(
    before: dict[str, str], effective: dict[str, Any], after: dict[str, Any], moment: datetime
) -> dict[str, str]:
    """When each leaf changed last. Leaves that are gone leave no trace here; the history has them."""
    stamp = rfc3339(moment)
    touched = {pointer for pointer, _ in leaves(effective)}
    present = {pointer for pointer, _ in leaves(after)}
    return {pointer: stamp if pointer in touched else before.get(pointer, stamp) for pointer in sorted(present)}


def _require_epoch(device_id: int, epoch: int) -> None:
    """Hold the device's row for the transaction, so that a newer connection waits for this write or fences it."""
    device = Device.objects.present().select_for_update().filter(pk=device_id, session_epoch=epoch).first()
    if device is None:
        raise SessionReplaced()


def _hint_owner(device_id: int, version: int) -> None:
    session = Session.objects.open().filter(device_id=device_id).select_related("process").first()
    if session is not None:
        hint_process(session.process.channel, {"type": "desired.changed", "device": device_id, "version": version})
