"""The end of the way aboard: the device used what it was given."""

from devices.actors import Actor
from devices.models import Device
from provisioning.models import Enrolment
from provisioning.services.moves import move_enrolment
from provisioning.states import EnrolmentState


def confirm_enrolment(device: Device) -> None:
    """Called in the transaction of the device's first accepted contact."""
    for enrolment in Enrolment.objects.filter(device=device, state=EnrolmentState.DELIVERED):
        move_enrolment(
            enrolment=enrolment, to=EnrolmentState.CONFIRMED, actor=Actor.device(), reason="it connected to the hub"
        )
