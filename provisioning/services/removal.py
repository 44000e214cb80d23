"""Ends of enrolments that touch more than their row, and the deletion of devices."""

from django.db import transaction

from devices.actors import Actor
from devices.models import Device
from devices.services.credentials import revoke_credentials
from devices.services.inventory import retire_device
from provisioning.models import Enrolment
from provisioning.services.moves import move_enrolment, revoke_issued_code
from provisioning.states import WITH_DEVICE_STATES, EnrolmentState


@transaction.atomic
def end_enrolment(*, enrolment: Enrolment, to: EnrolmentState, actor: Actor, reason: str) -> None:
    """Decline, expire or supersede an open enrolment; its code dies with it, and a device that never was one goes too.

    A device that had credentials before (it was enabled anew, or let in again) stays, with or without live ones.
    Raises InvalidTransition when somebody else moved it.
    """
    was_unlocked = enrolment.state == EnrolmentState.UNLOCKED
    move_enrolment(enrolment=enrolment, to=to, actor=actor, reason=reason)
    revoke_issued_code(enrolment=enrolment, actor=actor, reason=reason)
    if was_unlocked and enrolment.device is not None and not enrolment.device.credentials.exists():
        retire_device(device=enrolment.device, actor=actor, reason="it never collected its credentials")


@transaction.atomic
def delete_device(*, device: Device, actor: Actor, reason: str = "deleted") -> None:
    """End a device: credentials and session at once; its serial number may start over.

    Raises NotFound when it was deleted before.
    """
    retire_device(device=device, actor=actor, reason=reason)
    # Locked, so that a hand-over that is under way is over, and its credential there to be revoked.
    enrolments = Enrolment.objects.select_for_update().filter(device=device, state__in=WITH_DEVICE_STATES)
    for enrolment in enrolments.order_by("pk"):
        move_enrolment(enrolment=enrolment, to=EnrolmentState.SUPERSEDED, actor=actor, reason=f"device {reason}")
    revoke_credentials(device=device, actor=actor, reason=reason)
