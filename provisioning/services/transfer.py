"""Moving a device to another tenant."""

from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import DeviceIdInUse, InvalidTransition, SerialInUse
from devices.hints import hint_device_changed
from devices.models import CloseReason, Device, DeviceState, Product, Subject, Tenant
from devices.services.history import record_move
from devices.services.sessions import end_sessions
from provisioning.models import Enrolment
from provisioning.services.admission import require_listed
from provisioning.states import HANDED_OVER_STATES, EnrolmentState
from twins.models import Section, TwinChange
from twins.services.twins import change_tags, get_twin


@transaction.atomic
def transfer_device(*, device: Device, to_tenant: Tenant, actor: Actor) -> Device:
    """Give a device to another tenant. The caller has seen that the actor is administrator of both.

    What the device is and has stays: id, serial number, credentials, desired and reported; so it goes on working and
    nobody has to walk to it. Its session is ended with "come back", because the other tenant may live at another hub.
    What people wrote about it goes: tags, with their history. Its product becomes the other tenant's product of the
    same code, or none.

    Raises InvalidTransition unless it is active and aboard, SerialInUse, DeviceIdInUse, SerialNotListed.
    """
    locked = Device.objects.select_for_update(of=("self",)).select_related("tenant", "product").get(pk=device.pk)
    _require_transferable(locked, to_tenant)
    from_tenant = locked.tenant
    product = Product.objects.filter(tenant=to_tenant, code=locked.product.code).first() if locked.product else None
    require_listed(product=product, serial_number=locked.serial_number)
    _refuse_duplicate_id(locked, to_tenant)
    try:
        with transaction.atomic():
            Device.objects.filter(pk=locked.pk).update(tenant=to_tenant, product=product, claimed_by=actor.user_id)
    except IntegrityError:
        raise SerialInUse("The other tenant has a device with this serial number.") from None
    Enrolment.objects.filter(device=locked, state__in=HANDED_OVER_STATES).update(tenant=to_tenant)
    end_sessions(device=locked, reason=CloseReason.MOVED)
    _clear_tags(locked, actor)
    # Neither tenant's people learn the other's name from it.
    _record(locked, from_tenant, "transferred to another tenant", actor)
    _record(locked, to_tenant, "transferred from another tenant", actor)
    for tenant in (from_tenant, to_tenant):
        hint_device_changed(tenant.public_id, locked.public_id, "device")
    return Device.objects.select_related("tenant__region", "product").get(pk=locked.pk)


def _require_transferable(device: Device, to_tenant: Tenant) -> None:
    if device.tenant_id == to_tenant.pk:
        raise InvalidTransition("The device belongs to this tenant already.")
    if device.state != DeviceState.ACTIVE:
        raise InvalidTransition("Only an active device can be transferred.")
    if Enrolment.objects.filter(device=device, state=EnrolmentState.UNLOCKED).exists():
        raise InvalidTransition("The device has not come aboard yet: let it, or delete it and let it in there.")


def _refuse_duplicate_id(device: Device, to_tenant: Tenant) -> None:
    if not device.external_id:
        return
    if Device.objects.present().filter(tenant=to_tenant, external_id=device.external_id).exists():
        raise DeviceIdInUse("The other tenant has a device with this id.")


def _clear_tags(device: Device, actor: Actor) -> None:
    twin = get_twin(device_id=device.pk)
    if twin.tags:
        change_tags(device=device, patch=dict.fromkeys(twin.tags), actor=actor)
    TwinChange.objects.filter(twin=twin, section=Section.TAGS).delete()


def _record(device: Device, tenant: Tenant, reason: str, actor: Actor) -> None:
    record_move(
        subject=Subject.DEVICE,
        subject_id=device.public_id,
        from_state=device.state,
        to_state=device.state,
        actor=actor,
        reason=reason,
        tenant_id=tenant.pk,
        device_id=device.pk,
    )
