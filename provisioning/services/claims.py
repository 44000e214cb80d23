"""A person lets a device in, or says that it is not theirs."""

import secrets
from dataclasses import dataclass

from django.db import transaction

from devices.actors import Actor
from devices.hints import hint_enrolment_changed
from devices.models import Device, Product, Tenant
from devices.serials import check_serial_number, serial_key
from portal.lib.clock import now
from provisioning.codes import normalise_code
from provisioning.errors import (
    CodeNotUsable,
    ContestedSerial,
    MatchNumberNeeded,
    MatchNumberWrong,
    SerialNotWaiting,
)
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services.admission import require_listed
from provisioning.services.codes import code_digest
from provisioning.services.enrolments import live_enrolments
from provisioning.services.guesses import needs_match_number
from provisioning.services.moves import move_code, revoke_issued_code
from provisioning.services.removal import end_enrolment
from provisioning.services.unlocking import let_in
from provisioning.services.windows import open_window
from provisioning.states import CodeState, EnrolmentState


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting device as a person finds it. `code` is set when it was found by its code; `contested` when others poll
    with the same serial number."""

    enrolment: Enrolment
    code: ProvisioningCode | None
    contested: bool


def find_waiting(*, entry: str, serial_number: str = "") -> Waiting:
    """What a person means who types `entry`: a live code first, else the serial number of a device that waits.

    With `serial_number` the entry is the code of the device with that one, and nothing else.
    Raises CodeNotUsable for what can only be a code, SerialNotWaiting for anything else. Neither says why.
    """
    code = normalise_code(entry)
    if serial_number and code is None:
        raise CodeNotUsable()
    if code is not None:
        row = _redeemable(code, serial_number)
        if row is not None:
            return Waiting(row.enrolment, row, _is_contested(row.enrolment))
        if serial_number:
            raise CodeNotUsable()
    return _by_serial(entry, maybe_code=code is not None)


def claim_by_code(
    *,
    code: str,
    tenant: Tenant,
    name: str = "",
    product: Product | None = None,
    serial_number: str = "",
    match_number: str = "",
    is_stepped_up: bool | None = None,
    actor: Actor,
) -> Device:
    """Let in the device that shows this code, as a device of the tenant. With `serial_number`, only if it is that one.

    `is_stepped_up` is what the entry's admission says (`Admission.needs_match_number`); without one, the guess budget
    is asked.
    Raises CodeNotUsable (unknown, used, expired, of another serial number: not said which), SerialInUse;
    MatchNumberNeeded when several devices poll with its serial number or many codes are being guessed,
    MatchNumberWrong after one wrong try.
    """
    if is_stepped_up is None:
        is_stepped_up = needs_match_number()
    normalised = normalise_code(code)
    row = _redeemable(normalised, serial_number) if normalised else None
    if row is None:
        raise CodeNotUsable("Check the device's screen: it may show a new code by now.")
    _check_match_number(row.enrolment, match_number, is_stepped_up, actor)
    return _unlock(row.enrolment, row, tenant, name, product, actor)


def claim_by_serial(
    *, serial_number: str, tenant: Tenant, name: str = "", product: Product | None = None, actor: Actor
) -> Device:
    """Let in the device with this serial number: the one that waits, or else the first that comes within a window.

    Raises ContestedSerial when several wait with it, SerialNotWaiting when it was let in elsewhere, SerialInUse,
    SerialNotListed, TooManyWindows; InvalidRequest when it is no serial number.
    """
    serial_number = check_serial_number(serial_number)
    # Whose time is over is no obstacle, whether a sweep came by or not.
    live_enrolments(key=serial_key(serial_number))
    try:
        waiting = _by_serial(serial_number, maybe_code=False)
    except SerialNotWaiting:
        return open_window(serial_number=serial_number, tenant=tenant, name=name, product=product, actor=actor)
    if waiting.contested:
        raise ContestedSerial("Use the code on the screen of the device in front of you.")
    return _unlock(waiting.enrolment, None, tenant, name, product, actor)


def decline_waiting(*, waiting: Waiting, actor: Actor) -> None:
    """The person says: not mine. Raises InvalidTransition when it was let in meanwhile."""
    end_enrolment(enrolment=waiting.enrolment, to=EnrolmentState.DECLINED, actor=actor, reason="a person declined it")


def _redeemable(code: str, serial_number: str) -> ProvisioningCode | None:
    moment = now()
    row = (
        ProvisioningCode.objects.redeemable(moment).filter(digest=code_digest(code)).select_related("enrolment").first()
    )
    if row is None or row.enrolment.state != EnrolmentState.WAITING:
        return None
    return row if not serial_number or serial_key(serial_number) == row.enrolment.serial_key else None


def _by_serial(entry: str, *, maybe_code: bool) -> Waiting:
    """The attempt heard of last; earlier ones of the same device have fallen silent."""
    waiting = Enrolment.objects.waiting(now()).filter(serial_key=serial_key(entry)).order_by("-last_polled_at", "-pk")
    enrolment = waiting.first()
    if enrolment is None:
        raise CodeNotUsable() if maybe_code else SerialNotWaiting()
    return Waiting(enrolment, None, _is_contested(enrolment))


def _is_contested(enrolment: Enrolment) -> bool:
    return Enrolment.objects.rivals(enrolment, now()).exists()


def _check_match_number(enrolment: Enrolment, entry: str, is_stepped_up: bool, actor: Actor) -> None:
    """Where a serial number is contested, the code alone is not enough: a rogue's code could have been passed on.
    Nor is it while many codes are being guessed: who hit one by luck is not told the number.

    The two digits are told to the one device whose code was entered, by its next poll. There is one try.
    """
    if not enrolment.match_number:
        is_contested = _is_contested(enrolment)
        if not is_contested and not is_stepped_up:
            return
        with transaction.atomic():
            number = f"{secrets.randbelow(100):02d}"
            Enrolment.objects.filter(pk=enrolment.pk, match_number="").update(match_number=number)
            hint_enrolment_changed(enrolment.public_id)
        if is_contested:
            raise MatchNumberNeeded("Several devices claim this serial number. The right one now shows two digits.")
        raise MatchNumberNeeded("The device now shows two digits. Enter them along with the code.")
    if not entry:
        raise MatchNumberNeeded()
    if not secrets.compare_digest(enrolment.match_number.encode(), entry.strip().encode()):
        end_enrolment(
            enrolment=enrolment, to=EnrolmentState.DECLINED, actor=actor, reason="a wrong match number was entered"
        )
        raise MatchNumberWrong("The enrolment was closed. Restart the device to begin another.")


@transaction.atomic
def _unlock(
    enrolment: Enrolment,
    code: ProvisioningCode | None,
    tenant: Tenant,
    name: str,
    product: Product | None,
    actor: Actor,
) -> Device:
    require_listed(product=product, serial_number=enrolment.serial_number)
    reason = "by its code" if code else "by its serial number"
    device = let_in(enrolment=enrolment, tenant=tenant, product=product, name=name, actor=actor, reason=reason)
    if code is not None and not move_code(code=code, to=CodeState.REDEEMED, actor=actor, redeemed_at=now()):
        raise CodeNotUsable()
    if code is None:
        revoke_issued_code(enrolment=enrolment, actor=actor, reason="the device was let in by its serial number")
    return device
