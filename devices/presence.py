"""Whether a device is reachable, and what that statement rests on.

Nothing here is stored: presence is read from the open session and its process' lease, compared with the clock. So a
process that dies takes no row with it, and no task has to run for the answer to be true.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings

from devices.models import Device, Session


class PresenceState(StrEnum):
    ONLINE = "online"
    UNSURE = "unsure"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Presence:
    """`since` is when the state began (None: never connected); `deadline` when an unsure device will count as
    offline.
    """

    state: PresenceState
    since: datetime | None
    reason: str
    last_frame_at: datetime | None = None
    deadline: datetime | None = None


def presence_of(device: Device, moment: datetime) -> Presence:
    """The presence of a device that was fetched with `DeviceQuerySet.with_open_session()`."""
    session = device.open_session
    if session is None:
        reason = "not connected" if device.last_seen_at else "has never connected"
        return Presence(PresenceState.OFFLINE, device.last_seen_at, reason, device.last_seen_at)
    return presence_of_session(session, moment)


def presence_of_session(session: Session, moment: datetime) -> Presence:
    lease = session.process.lease_until
    if moment <= lease and session.process.stopped_at is None:
        return Presence(PresenceState.ONLINE, session.connected_at, "connected", session.last_frame_at)
    deadline = lease + timedelta(seconds=settings.HUB_OFFLINE_AFTER)
    if moment <= deadline:
        reason = "its hub process has not been heard of"
        return Presence(PresenceState.UNSURE, lease, reason, session.last_frame_at, deadline)
    return Presence(PresenceState.OFFLINE, deadline, "its hub process died", session.last_frame_at)
