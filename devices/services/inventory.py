"""Devices coming into being, being named, and being retired."""

import logging
from typing import Any

from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidRequest, NotFound, SerialInUse
from devices.hints import hint_device_changed
from devices.models import Device, DeviceState, Product, Subject, Tenant
from devices.serials import serial_key
from devices.services.credentials import revoke_credentials
from devices.services.history import record_move
from portal.lib.clock import now
from portal.lib.logs import log_event

logger = logging.getLogger(__name__)

NAME_LENGTH = 100


def create_device(
    *,
    tenant: Tenant,
    product: Product | None,
    serial_number: str,
    name: str,
    attributes: dict[str, Any],
    actor: Actor,
) -> Device:
    """A new active device, in the caller's transaction. Raises SerialInUse when the tenant (or product) has one like
    it.
    """
    try:
        with transaction.atomic():
            device: Device = Device.objects.create(
                tenant=tenant,
                product=product,
                serial_number=serial_number,
                serial_key=serial_key(serial_number),
                name=_checked_name(name) or serial_number,
                attributes=attributes,
                claimed_by_id=actor.user_id,
            )
    except IntegrityError:
        raise SerialInUse(f"{tenant.name} already has a device with the serial number {serial_number}.") from None
    _record(device, "", DeviceState.ACTIVE, actor)
    return device


def rename_device(*, device: Device, name: str) -> Device:
    """Raises InvalidRequest when the name is empty or longer than 100 characters."""
    device.name = _checked_name(name)
    if not device.name:
        raise InvalidRequest("A device needs a name.", errors=[{"field": "name", "detail": "This may not be empty."}])
    with transaction.atomic():
        device.save(update_fields=["name"])
        hint_device_changed(device.tenant.public_id, device.public_id, "device")
    return device


@transaction.atomic
def retire_device(*, device: Device, actor: Actor, reason: str) -> None:
    """The end of a device: its credentials are dead and its session is over when this returns. Raises NotFound if it
    was.
    """
    changed = Device.objects.present().filter(pk=device.pk).update(state=DeviceState.RETIRED, retired_at=now())
    if not changed:
        raise NotFound("There is no such device.")
    revoke_credentials(device=device, actor=actor, reason=reason)
    _record(device, device.state, DeviceState.RETIRED, actor, reason)
    hint_device_changed(device.tenant.public_id, device.public_id, "device")
    log_event(logger, "device-retired", device=device.public_id, serial=device.serial_number, reason=reason)


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > NAME_LENGTH or not name.isprintable():
        problem = f"A name has at most {NAME_LENGTH} printable characters."
        raise InvalidRequest(problem, errors=[{"field": "name", "detail": problem}])
    return name


def _record(device: Device, from_state: str, to_state: str, actor: Actor, reason: str = "") -> None:
    record_move(
        subject=Subject.DEVICE,
        subject_id=device.public_id,
        from_state=from_state,
        to_state=to_state,
        actor=actor,
        reason=reason,
        tenant_id=device.tenant_id,
        device_id=device.pk,
    )
