"""Letting a device in before it comes: for a while, the first poller with its serial number is the device.

Whoever knows the serial number can be that poller. So a window is as short as its product says, the history names the
network it was taken from, and where a device can show a code, the code is the better way.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition, SerialInUse
from devices.models import ACTIVATION_WINDOW, Device, Product, Tenant
from devices.serials import serial_key
from devices.services.inventory import reset_device
from portal.lib.clock import now
from provisioning.errors import ContestedSerial, SerialNotWaiting, TooManyWindows
from provisioning.models import Enrolment
from provisioning.pollers import PollerKind
from provisioning.services.admission import require_listed
from provisioning.services.enrolments import live_enrolments
from provisioning.services.moves import begin_history, move_enrolment, revoke_issued_code
from provisioning.services.unlocking import let_in, supersede_waiting, unlock
from provisioning.states import WITH_DEVICE_STATES, EnrolmentState


def open_window(
    *, serial_number: str, tenant: Tenant, name: str = "", product: Product | None = None, actor: Actor
) -> Device:
    """Let in a device nobody has heard of yet. If none comes within the window, the device is retired again.

    Raises SerialNotWaiting when the serial number is let in elsewhere, SerialInUse, SerialNotListed, TooManyWindows.
    """
    require_listed(product=product, serial_number=serial_number)
    _refuse_too_many(tenant)
    try:
        with transaction.atomic():
            enrolment = _begin(serial_number, product)
            device = let_in(
                enrolment=enrolment,
                tenant=tenant,
                product=product,
                name=name,
                actor=actor,
                reason="by its serial number, before any device came",
            )
    except (IntegrityError, InvalidTransition):
        if Device.objects.present().filter(tenant=tenant, serial_key=serial_key(serial_number)).exists():
            raise SerialInUse(f"{tenant.name} already has a device with this serial number.") from None
        raise SerialNotWaiting() from None
    _yield_to(enrolment, actor)
    return device


def re_enable(*, device: Device, actor: Actor) -> Device:
    """Let the device come aboard anew: its credentials are dead and its session is over when this returns, and the
    first poll with its serial number within the window is given new ones. Its id, name and twin stay.

    Raises InvalidTransition when it is not active, has no serial number, or another device has it;
    ContestedSerial when several wait with it.
    """
    if not device.serial_key:
        raise InvalidTransition("A device without a serial number comes aboard with a provisioning token.")
    waiting = [row for row in live_enrolments(key=device.serial_key) if row.state == EnrolmentState.WAITING]
    if len(waiting) > 1:
        raise ContestedSerial("Decline the ones that are not yours first.")
    try:
        with transaction.atomic():
            reset_device(device=device, actor=actor, reason="the device was enabled anew")
            supersede_enrolments_of(device=device, actor=actor, reason="the device was enabled anew")
            supersede_waiting(key=device.serial_key, actor=actor, reason="the device was enabled anew")
            enrolment = _begin(device.serial_number, device.product)
            unlock(enrolment=enrolment, device=device, actor=actor, reason="enabled anew")
    except IntegrityError:
        raise InvalidTransition("A device began to wait with this serial number meanwhile.") from None
    _yield_to(enrolment, actor)
    return device


def supersede_enrolments_of(*, device: Device, actor: Actor, reason: str) -> None:
    """End the enrolments by which a device came aboard. It stays, and so do credentials it has."""
    for enrolment in Enrolment.objects.filter(device=device, state__in=WITH_DEVICE_STATES):
        move_enrolment(enrolment=enrolment, to=EnrolmentState.SUPERSEDED, actor=actor, reason=reason)
        revoke_issued_code(enrolment=enrolment, actor=actor, reason=reason)


def _begin(serial_number: str, product: Product | None) -> Enrolment:
    moment = now()
    seconds = product.activation_window if product else ACTIVATION_WINDOW
    enrolment = Enrolment.objects.create(
        serial_number=serial_number,
        serial_key=serial_key(serial_number),
        poller_kind=PollerKind.UNBOUND,
        created_at=moment,
        last_polled_at=moment,
        window_until=moment + timedelta(seconds=seconds),
    )
    begin_history(enrolment=enrolment, actor=Actor.system())
    return enrolment


def _yield_to(window: Enrolment, actor: Actor) -> None:
    """A poller may have begun to wait at the same moment, each not seeing the other's row (see enrolments._settle)."""
    supersede_waiting(key=window.serial_key, actor=actor, reason="its serial number was let in meanwhile")


def _refuse_too_many(tenant: Tenant) -> None:
    """Serial numbers are no secrets: nobody may take them in advance by the million."""
    open_windows = Enrolment.objects.filter(
        tenant=tenant, state=EnrolmentState.UNLOCKED, poller_kind=PollerKind.UNBOUND, window_until__gt=now()
    )
    if open_windows.count() >= settings.ACTIVATION_WINDOWS_PER_TENANT:
        raise TooManyWindows("Wait until some have come, or their windows are over.", retry_after=3600)


def open_until(*, device: Device) -> datetime | None:
    """Until when the first poller may take the device; None when there is no window, or it is over."""
    windows = Enrolment.objects.filter(
        device=device, state=EnrolmentState.UNLOCKED, poller_kind=PollerKind.UNBOUND, window_until__gt=now()
    )
    window = windows.first()
    return window.window_until if window else None
