"""Deciding on operations: a person has compared the verification code, or the token's rule stands for one."""

import uuid

from django.db import transaction
from django.db.models import Q, QuerySet

from devices.actors import Actor
from devices.errors import DeviceIdInUse, InvalidTransition, SerialInUse
from devices.external_ids import check_external_id
from devices.models import Device, DeviceState
from devices.serials import serial_key
from portal.lib.clock import now
from provisioning.errors import DeviceIdNotAllowed
from provisioning.models import Enrolment, ProvisioningToken
from provisioning.services.admission import require_listed
from provisioning.services.removal import end_enrolment
from provisioning.services.tokens import take_use
from provisioning.services.unlocking import let_in, unlock
from provisioning.services.windows import supersede_enrolments_of
from provisioning.states import EnrolmentState
from provisioning.token_models import DeviceIdPolicy


def approve_operation(*, operation: Enrolment, actor: Actor, device_id: str = "", name: str = "") -> Device:
    """Let in the device whose verification code the person compared. `device_id` is what the person calls it.

    A device of the tenant with the same id or serial number is replaced: its row and twin stay, and what it
    authenticates with dies when the new credentials are handed over.
    Raises InvalidTransition when it was decided on, is over, or its token was revoked; TokenUsedUp,
    DeviceIdNotAllowed, DeviceIdInUse, SerialInUse, SerialNotListed.
    """
    _require_open(operation)
    return let_in_with_token(
        operation=operation, actor=actor, reason="approved", chosen_id=device_id, name=name, replaces=True
    )


def decline_operation(*, operation: Enrolment, actor: Actor, reason: str = "") -> None:
    """The person says: not this one. Raises InvalidTransition when it was decided on, or is over."""
    _require_open(operation)
    end_enrolment(enrolment=operation, to=EnrolmentState.DECLINED, actor=actor, reason=reason or "a person declined it")


@transaction.atomic
def let_in_with_token(
    *, operation: Enrolment, actor: Actor, reason: str, chosen_id: str = "", name: str = "", replaces: bool
) -> Device:
    """Unlock the operation, as a new device or in place of one there is. `replaces` tells whether somebody saw that.

    Without it, only a token that is bound to one device replaces that one. Raises as `approve_operation`.
    """
    token = _token_of(operation)
    external_id = _choose_id(token, operation.requested_id, chosen_id)
    require_listed(product=token.product, serial_number=operation.serial_number)
    # First of all: the row of the token is locked, and a revocation comes before or after this as a whole.
    take_use(token=token)
    former = _former(operation, external_id)
    if former is None:
        return _let_in_new(operation, token, external_id, name, actor, reason)
    is_bound = bool(token.device_id) and former.external_id == token.device_id
    if not (replaces or is_bound):
        by_id = bool(external_id) and former.external_id == external_id
        raise (DeviceIdInUse if by_id else SerialInUse)("A person has to say that the device is replaced.")
    _let_in_again(operation, former, token, external_id, actor, reason)
    return former


def replaced_device(*, operation: Enrolment) -> Device | None:
    """The device that an approval would replace, if nobody chooses another id."""
    token = _token_of(operation)
    if operation.state != EnrolmentState.WAITING:
        return None
    return _find_former(operation, operation.requested_id or token.device_id).first()


def _let_in_new(
    operation: Enrolment, token: ProvisioningToken, external_id: str, name: str, actor: Actor, reason: str
) -> Device:
    return let_in(
        enrolment=operation,
        tenant=token.tenant,
        product=token.product,
        name=name,
        # An id nobody chose is made here: a chosen one cannot be mistaken for it.
        external_id=external_id or str(uuid.uuid4()),
        credential_lifetime=token.maximum_credential_lifetime,
        actor=actor,
        reason=reason,
    )


def _let_in_again(
    operation: Enrolment, former: Device, token: ProvisioningToken, external_id: str, actor: Actor, reason: str
) -> None:
    if former.state != DeviceState.ACTIVE:
        raise InvalidTransition("The device with this id is suspended.")
    supersede_enrolments_of(device=former, actor=actor, reason="the device was let in again")
    former.credential_lifetime = token.maximum_credential_lifetime
    former.external_id = former.external_id or external_id
    former.save(update_fields=["credential_lifetime", "external_id"])
    unlock(enrolment=operation, device=former, actor=actor, reason=f"{reason}, in place of what it had")


def _former(operation: Enrolment, external_id: str) -> Device | None:
    """The device of the tenant that this is, its row locked: of two operations for one device the later counts."""
    found = list(_find_former(operation, external_id).select_for_update(of=("self",)))
    if len(found) > 1:
        raise SerialInUse("The device id belongs to one device, and the serial number to another.")
    if found and external_id and found[0].external_id not in ("", external_id):
        raise SerialInUse("The device with this serial number has another id.")
    return found[0] if found else None


def _find_former(operation: Enrolment, external_id: str) -> QuerySet[Device]:
    token = _token_of(operation)
    devices = Device.objects.present().filter(tenant_id=token.tenant_id).select_related("tenant__region")
    same = Q(pk=None)
    if external_id:
        same |= Q(external_id=external_id)
    if key := serial_key(operation.serial_number):
        same |= Q(serial_key=key, product=token.product)
    return devices.filter(same)


def _choose_id(token: ProvisioningToken, requested: str, chosen: str) -> str:
    """A person's choice goes before the device's, that before the token's own; "" when nobody chose."""
    if chosen:
        check_external_id(chosen)
        own = chosen in (token.device_id, requested)
        if not own and not token.policy.lets_technician_choose:
            raise DeviceIdNotAllowed("The provisioning token does not let anybody choose another id.")
        return chosen
    if token.policy == DeviceIdPolicy.TECHNICIAN_MUST and not token.device_id:
        raise DeviceIdNotAllowed("Choose an id for the device.")
    return requested or token.device_id


def _require_open(operation: Enrolment) -> None:
    if operation.state == EnrolmentState.WAITING and operation.is_stale(now()):
        raise InvalidTransition("The operation's time is over.")


def _token_of(operation: Enrolment) -> ProvisioningToken:
    if operation.token is None:
        raise InvalidTransition("The enrolment did not begin with a provisioning token.")
    return operation.token
