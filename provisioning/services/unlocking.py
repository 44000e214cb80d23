"""Letting in: an enrolment gets its device. Who may, and by what, is decided by the callers."""

import contextlib
import logging

from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition
from devices.models import Device, Product, Tenant
from devices.services.inventory import create_device
from portal.lib.logs import log_event
from provisioning.models import Enrolment
from provisioning.services.moves import move_enrolment
from provisioning.services.removal import end_enrolment
from provisioning.states import EnrolmentState
from twins.services.twins import create_twin

logger = logging.getLogger(__name__)


@transaction.atomic
def let_in(
    *,
    enrolment: Enrolment,
    tenant: Tenant,
    product: Product | None = None,
    name: str = "",
    external_id: str = "",
    credential_lifetime: int | None = None,
    actor: Actor,
    reason: str,
) -> Device:
    """Unlock a waiting enrolment as a new device of the tenant.

    Raises SerialInUse, DeviceIdInUse, and InvalidTransition when it waits no more or its serial number was let in.
    """
    device = create_device(
        tenant=tenant,
        product=product,
        serial_number=enrolment.serial_number,
        name=name,
        attributes=enrolment.attributes,
        external_id=external_id,
        credential_lifetime=credential_lifetime,
        actor=actor,
    )
    create_twin(device=device)
    unlock(enrolment=enrolment, device=device, actor=actor, reason=reason)
    return device


@transaction.atomic
def unlock(*, enrolment: Enrolment, device: Device, actor: Actor, reason: str) -> None:
    """Unlock a waiting enrolment for a device there is. Others that wait with its serial number are superseded.

    Raises InvalidTransition when it waits no more, or its serial number was let in.
    """
    _lock_waiting(enrolment.serial_key)
    try:
        with transaction.atomic():
            move_enrolment(
                enrolment=enrolment,
                to=EnrolmentState.UNLOCKED,
                actor=actor,
                reason=reason,
                tenant=device.tenant,
                device=device,
            )
    except IntegrityError:
        raise InvalidTransition("A device with this serial number was let in before.") from None
    supersede_waiting(key=enrolment.serial_key, actor=actor, reason="another device with this serial number was let in")
    log_event(
        logger,
        "device-claimed",
        serial=enrolment.serial_number,
        device=device.public_id,
        tenant=device.tenant.slug,
        how=reason,
    )


def _lock_waiting(key: str) -> None:
    """Hold all that wait with this serial key, in the order of their ids: two claims would wait for each other."""
    waiting = Enrolment.objects.select_for_update().filter(serial_key=key, state=EnrolmentState.WAITING)
    list(waiting.order_by("pk").values_list("pk", flat=True))


def supersede_waiting(*, key: str, actor: Actor, reason: str) -> None:
    """End whatever waits with this serial key."""
    for waiting in Enrolment.objects.filter(serial_key=key, state=EnrolmentState.WAITING):
        # One that somebody else moved meanwhile waits no more, which is all that is wanted.
        with contextlib.suppress(InvalidTransition):
            end_enrolment(enrolment=waiting, to=EnrolmentState.SUPERSEDED, actor=actor, reason=reason)
