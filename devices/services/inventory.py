"""Devices coming into being, being named, and being retired."""

import logging
from typing import Any

from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import DeviceIdInUse, InvalidRequest, InvalidTransition, NotFound, SerialInUse
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
    external_id: str = "",
    credential_lifetime: int | None = None,
    actor: Actor,
) -> Device:
    """A new active device, in the caller's transaction. A device may lack a serial number, and then has an external id.

    Raises SerialInUse, DeviceIdInUse when the tenant (or product) has one like it.
    """
    try:
        with transaction.atomic():
            device: Device = Device.objects.create(
                tenant=tenant,
                product=product,
                serial_number=serial_number,
                serial_key=serial_key(serial_number),
                external_id=external_id,
                name=_checked_name(name) or serial_number or external_id,
                attributes=attributes,
                credential_lifetime=credential_lifetime,
                claimed_by_id=actor.user_id,
            )
    except IntegrityError:
        if external_id and Device.objects.present().filter(tenant=tenant, external_id=external_id).exists():
            raise DeviceIdInUse(f"{tenant.name} already has a device with the id {external_id}.") from None
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


@transaction.atomic
def reset_device(*, device: Device, actor: Actor, reason: str) -> None:
    """Take a device's credentials and its session: it has to come aboard again, as the same device with the same twin.

    Raises InvalidTransition unless the device is active.
    """
    # Its row is locked first, as a connecting device does: what connects now is put before or after this as a whole.
    changed = Device.objects.filter(pk=device.pk, state=DeviceState.ACTIVE).update(activated_at=None)
    if not changed:
        raise InvalidTransition("The device is not active.")
    device.activated_at = None
    revoke_credentials(device=device, actor=actor, reason=reason)
    hint_device_changed(device.tenant.public_id, device.public_id, "device")


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
