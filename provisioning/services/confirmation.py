"""The end of the way aboard: the device has, and uses, what it was given. What was sealed for it is destroyed."""

from django.db import transaction

from devices.actors import Actor
from devices.models import Device
from portal.lib.clock import now
from provisioning.models import Enrolment
from provisioning.services.moves import move_enrolment
from provisioning.states import EnrolmentState


def confirm_by_connection(device: Device) -> None:
    """Called in the transaction of the device's first accepted contact."""
    _confirm(device.pk, Actor.device(), "it connected to the hub")


@transaction.atomic
def confirm_hand_over(*, device_id: int, actor: Actor) -> None:
    """The device, authenticated by its secret, says that it kept it. May be said again."""
    _confirm(device_id, actor, "it said so")


def _confirm(device_id: int, actor: Actor, reason: str) -> None:
    for enrolment in Enrolment.objects.filter(device_id=device_id, state=EnrolmentState.DELIVERED):
        move_enrolment(
            enrolment=enrolment,
            to=EnrolmentState.CONFIRMED,
            actor=actor,
            reason=reason,
            confirmed_at=now(),
            sealed_hand_over=None,
            sealed_until=None,
        )
