"""What happened, in words: history rows and sessions as sentences for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from devices.models import CloseReason, Device, DeviceState, HistoryEntry, Session, Subject
from provisioning.states import CodeState, EnrolmentState

_TEXTS: dict[tuple[str, str], str] = {
    (Subject.ENROLMENT, EnrolmentState.WAITING): "Asked to join",
    (Subject.ENROLMENT, EnrolmentState.UNLOCKED): "Let in",
    (Subject.ENROLMENT, EnrolmentState.DELIVERED): "Collected its credentials",
    (Subject.ENROLMENT, EnrolmentState.CONFIRMED): "Came aboard",
    (Subject.ENROLMENT, EnrolmentState.DECLINED): "Declined",
    (Subject.ENROLMENT, EnrolmentState.EXPIRED): "Enrolment expired",
    (Subject.ENROLMENT, EnrolmentState.SUPERSEDED): "Enrolment superseded",
    (Subject.CODE, CodeState.REDEEMED): "Provisioning code used",
    (Subject.CODE, CodeState.EXPIRED): "Provisioning code expired",
    (Subject.CODE, CodeState.REVOKED): "Provisioning code revoked",
    (Subject.TOKEN, "usable"): "Provisioning token created",
    (Subject.TOKEN, "expired"): "Provisioning token expired",
    (Subject.TOKEN, "revoked"): "Provisioning token revoked",
    (Subject.DEVICE, DeviceState.ACTIVE): "Added to the tenant",
    (Subject.DEVICE, DeviceState.SUSPENDED): "Suspended",
    (Subject.DEVICE, DeviceState.RETIRED): "Deleted",
    (Subject.CREDENTIAL, "issued"): "Credential issued",
    (Subject.CREDENTIAL, "replaced"): "Credential replaced by a newer one",
    (Subject.CREDENTIAL, "revoked"): "Credential revoked",
}
_GOOD = {EnrolmentState.UNLOCKED, EnrolmentState.CONFIRMED}
_ENDS = {
    EnrolmentState.DECLINED,
    EnrolmentState.EXPIRED,
    EnrolmentState.SUPERSEDED,
    DeviceState.RETIRED,
    CodeState.REVOKED,
}
# A device is the subject of its sentences.
_ACTORS = {"device": "", "system": "the portal"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a timeline. `tone` is "good", "end" or "plain"; `device` is set where it leads to a page."""

    at: datetime
    text: str
    by: str = ""
    detail: str = ""
    network: str = ""
    tone: str = "plain"
    request_id: str = ""
    device: Device | None = None
    # Of a device that is another tenant's by now: what may be said of it.
    thing: str = ""
    subject: str = ""


def event_of(entry: HistoryEntry) -> Event:
    """A history row, fetched with user and device."""
    tone = "good" if entry.to_state in _GOOD else "end" if entry.to_state in _ENDS else "plain"
    device = entry.device
    is_elsewhere = device is not None and device.tenant_id != entry.tenant_id
    return Event(
        at=entry.at,
        text=_text(entry),
        by=entry.user.get_username() if entry.user else _ACTORS.get(entry.actor, "a person"),
        detail=entry.reason,
        network=entry.network or "",
        tone=tone,
        request_id=entry.request_id,
        device=None if is_elsewhere else device,
        thing=device.serial_number if device and is_elsewhere else "",
        subject=entry.get_subject_display(),
    )


def _text(entry: HistoryEntry) -> str:
    if entry.subject == Subject.DEVICE and entry.from_state == entry.to_state:
        return "Moved between tenants"
    return _TEXTS.get((entry.subject, entry.to_state), f"{entry.get_subject_display()}: {entry.to_state}")


def events_of_session(session: Session) -> list[Event]:
    """A session's beginning, and its end if it had one."""
    began = Event(
        at=session.connected_at,
        text="Connected",
        detail=session.agent,
        network=session.network or "",
        tone="good",
    )
    if session.closed_at is None:
        return [began]
    reason = CloseReason(session.close_reason).label if session.close_reason else ""
    return [began, Event(at=session.closed_at, text="Connection ended", detail=reason)]


def timeline(entries: Iterable[HistoryEntry], sessions: Iterable[Session]) -> list[Event]:
    """Everything together, newest first."""
    events = [event_of(entry) for entry in entries]
    for session in sessions:
        events += events_of_session(session)
    return sorted(events, key=lambda event: event.at, reverse=True)
