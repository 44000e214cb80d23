"""The one function that moves an enrolment, and the one that moves a code."""

import logging
from typing import Any

from devices.actors import Actor
from devices.errors import InvalidTransition
from devices.hints import hint_enrolment_changed
from devices.models import Subject
from devices.services.history import record_move
from portal.lib.clock import now
from portal.lib.logs import log_event
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.states import CODE_MOVES, CodeState, EnrolmentState, sources

logger = logging.getLogger(__name__)

_TIME_FIELDS = {EnrolmentState.UNLOCKED: "unlocked_at", EnrolmentState.DELIVERED: "delivered_at"}
_ENDS = (EnrolmentState.DECLINED, EnrolmentState.EXPIRED, EnrolmentState.SUPERSEDED)


def move_enrolment(
    *, enrolment: Enrolment, to: EnrolmentState, actor: Actor, reason: str = "", **fields: Any
) -> Enrolment:
    """Move an enrolment and write its history, in the caller's transaction. `fields` are set along with the state.

    Raises InvalidTransition when somebody else moved it first, or no such move exists: then nothing was changed.
    """
    moment = now()
    from_state = enrolment.state
    if from_state not in sources(to):
        raise InvalidTransition(f"The enrolment is {enrolment.get_state_display()}.")
    if time_field := _TIME_FIELDS.get(to):
        fields[time_field] = moment
    if to in _ENDS:
        fields |= {"ended_at": moment, "sealed_hand_over": None, "sealed_until": None}
    changed = Enrolment.objects.filter(pk=enrolment.pk, state=from_state).update(state=to, **fields)
    if not changed:
        raise InvalidTransition("Somebody else was first.")
    for name, value in {"state": to, **fields}.items():
        setattr(enrolment, name, value)
    _record(enrolment, from_state, actor, reason)
    return enrolment


def begin_history(*, enrolment: Enrolment, actor: Actor) -> None:
    """The first row of an enrolment that has just been made."""
    _record(enrolment, "", actor, "")


def move_code(*, code: ProvisioningCode, to: CodeState, actor: Actor, reason: str = "", **fields: Any) -> bool:
    """Move a code and write its history, in the caller's transaction. False when somebody else moved it first."""
    from_state = CodeState(code.state)
    if (from_state, to) not in CODE_MOVES:
        return False
    if not ProvisioningCode.objects.filter(pk=code.pk, state=from_state).update(state=to, **fields):
        return False
    code.state = to
    record_move(
        subject=Subject.CODE,
        subject_id=code.public_id,
        from_state=from_state,
        to_state=to,
        actor=actor,
        reason=reason,
        tenant_id=code.enrolment.tenant_id,
        device_id=code.enrolment.device_id,
    )
    return True


def revoke_issued_code(*, enrolment: Enrolment, actor: Actor, reason: str) -> None:
    """End the code that is out, if there is one."""
    for code in ProvisioningCode.objects.filter(enrolment=enrolment, state=CodeState.ISSUED).select_related(
        "enrolment"
    ):
        move_code(code=code, to=CodeState.REVOKED, actor=actor, reason=reason)


def _record(enrolment: Enrolment, from_state: str, actor: Actor, reason: str) -> None:
    record_move(
        subject=Subject.ENROLMENT,
        subject_id=enrolment.public_id,
        from_state=from_state,
        to_state=enrolment.state,
        actor=actor,
        reason=reason,
        tenant_id=enrolment.tenant_id,
        device_id=enrolment.device_id,
    )
    hint_enrolment_changed(enrolment.public_id)
    log_event(
        logger,
        f"enrolment-{enrolment.state}",
        serial=enrolment.serial_number,
        enrolment=enrolment.public_id,
        network=actor.network,
        reason=reason or None,
    )
