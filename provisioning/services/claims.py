"""A person lets a device in, or says that it is not theirs."""

import logging
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition
from devices.models import Device, Product, Tenant
from devices.serials import serial_key
from devices.services.inventory import create_device
from portal.lib.clock import now
from portal.lib.logs import log_event
from provisioning.codes import normalise_code
from provisioning.errors import CodeNotUsable, ContestedSerial, SerialNotWaiting
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services.codes import code_digest
from provisioning.services.moves import move_code, move_enrolment, revoke_issued_code
from provisioning.services.removal import end_enrolment
from provisioning.states import CodeState, EnrolmentState
from twins.services.twins import create_twin

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting device as a person finds it. `code` is set when it was found by its code; `contested` when others poll
    with the same serial number."""

    enrolment: Enrolment
    code: ProvisioningCode | None
    contested: bool


def find_waiting(*, entry: str) -> Waiting:
    """What a person means who types `entry`: a live code first, else the serial number of a device that waits.

    Raises CodeNotUsable for what can only be a code, SerialNotWaiting for anything else. Neither says why.
    """
    code = normalise_code(entry)
    if code is not None:
        row = _redeemable(code)
        if row is not None:
            return Waiting(row.enrolment, row, _is_contested(row.enrolment.serial_key))
    return _by_serial(entry, maybe_code=code is not None)


def claim_by_code(*, code: str, tenant: Tenant, name: str = "", product: Product | None = None, actor: Actor) -> Device:
    """Let in the device that shows this code, as a device of the tenant.

    Raises CodeNotUsable (unknown, used, expired: not said which), SerialInUse.
    """
    normalised = normalise_code(code)
    row = _redeemable(normalised) if normalised else None
    if row is None:
        raise CodeNotUsable("Check the device's screen: it may show a new code by now.")
    return _unlock(row.enrolment, row, tenant, name, product, actor)


def claim_by_serial(
    *, serial_number: str, tenant: Tenant, name: str = "", product: Product | None = None, actor: Actor
) -> Device:
    """Let in the device that waits with this serial number.

    Raises SerialNotWaiting, ContestedSerial when several wait with it, SerialInUse.
    """
    waiting = _by_serial(serial_number, maybe_code=False)
    if waiting.contested:
        raise ContestedSerial("Use the code on the screen of the device in front of you.")
    return _unlock(waiting.enrolment, None, tenant, name, product, actor)


def decline_waiting(*, waiting: Waiting, actor: Actor) -> None:
    """The person says: not mine. Raises InvalidTransition when it was let in meanwhile."""
    end_enrolment(enrolment=waiting.enrolment, to=EnrolmentState.DECLINED, actor=actor, reason="a person declined it")


def _redeemable(code: str) -> ProvisioningCode | None:
    moment = now()
    row = (
        ProvisioningCode.objects.redeemable(moment).filter(digest=code_digest(code)).select_related("enrolment").first()
    )
    return row if row is not None and row.enrolment.state == EnrolmentState.WAITING else None


def _by_serial(entry: str, *, maybe_code: bool) -> Waiting:
    rows = list(Enrolment.objects.waiting(now()).filter(serial_key=serial_key(entry))[:2])
    if not rows:
        raise CodeNotUsable() if maybe_code else SerialNotWaiting()
    return Waiting(rows[0], None, len(rows) > 1)


def _is_contested(key: str) -> bool:
    return Enrolment.objects.waiting(now()).filter(serial_key=key).count() > 1


@transaction.atomic
def _unlock(
    enrolment: Enrolment,
    code: ProvisioningCode | None,
    tenant: Tenant,
    name: str,
    product: Product | None,
    actor: Actor,
) -> Device:
    _lock_rivals(enrolment)
    device = create_device(
        tenant=tenant,
        product=product,
        serial_number=enrolment.serial_number,
        name=name,
        attributes=enrolment.attributes,
        actor=actor,
    )
    create_twin(device=device)
    reason = "by its code" if code else "by its serial number"
    try:
        with transaction.atomic():
            move_enrolment(
                enrolment=enrolment,
                to=EnrolmentState.UNLOCKED,
                actor=actor,
                reason=reason,
                tenant=tenant,
                device=device,
            )
    except IntegrityError:
        raise InvalidTransition("A device with this serial number was let in before.") from None
    if code is not None and not move_code(code=code, to=CodeState.REDEEMED, actor=actor, redeemed_at=now()):
        raise CodeNotUsable()
    if code is None:
        revoke_issued_code(enrolment=enrolment, actor=actor, reason="the device was let in by its serial number")
    _supersede_rivals(enrolment, actor)
    log_event(
        logger, "device-claimed", serial=device.serial_number, device=device.public_id, tenant=tenant.slug, how=reason
    )
    return device


def _lock_rivals(enrolment: Enrolment) -> None:
    """Hold all that wait with this serial number, in the order of their ids: two claims would wait for each other."""
    rivals = Enrolment.objects.select_for_update().filter(serial_key=enrolment.serial_key, state=EnrolmentState.WAITING)
    list(rivals.order_by("pk").values_list("pk", flat=True))


def _supersede_rivals(winner: Enrolment, actor: Actor) -> None:
    rivals = Enrolment.objects.filter(serial_key=winner.serial_key, state=EnrolmentState.WAITING)
    for rival in rivals.exclude(pk=winner.pk):
        end_enrolment(
            enrolment=rival,
            to=EnrolmentState.SUPERSEDED,
            actor=actor,
            reason="another device with this serial number was let in",
        )
