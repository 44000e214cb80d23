"""Writing history rows. Called inside the transaction that makes the move."""

import uuid

from devices.actors import Actor
from devices.models import HistoryEntry, Subject
from portal.lib.clock import now


def record_move(
    *,
    subject: Subject,
    subject_id: uuid.UUID,
    from_state: str,
    to_state: str,
    actor: Actor,
    reason: str = "",
    tenant_id: int | None = None,
    device_id: int | None = None,
) -> HistoryEntry:
    """Record that `subject` went from one state to another ("" when it came into being)."""
    return HistoryEntry.objects.create(
        at=now(),
        subject=subject,
        subject_id=subject_id,
        from_state=from_state,
        to_state=to_state,
        reason=reason[:200],
        tenant_id=tenant_id,
        device_id=device_id,
        user_id=actor.user_id,
        actor=actor.kind,
        network=actor.network,
        request_id=actor.request_id,
    )
