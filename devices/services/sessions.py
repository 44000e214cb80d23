"""Sessions of devices with the hub: one open per device, fenced by an epoch, leased by process."""

import logging
import os
import socket
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from devices import hooks
from devices.errors import SessionReplaced, Unauthenticated
from devices.hints import hint_device_changed, hint_process
from devices.models import CloseReason, Credential, Device, DeviceState, HubProcess, Session
from devices.services.clones import note_clone_suspicion
from portal.lib.clock import now
from portal.lib.logs import log_event

logger = logging.getLogger(__name__)

# Service restart (RFC 6455's registry): the device comes back.
_COME_BACK = 1012
_CLOSE_CODES = {CloseReason.REPLACED: SessionReplaced.ws_code, CloseReason.REVOKED: Unauthenticated.ws_code}


@dataclass(frozen=True, slots=True)
class OpenedSession:
    session_id: int
    public_id: uuid.UUID
    epoch: int


def register_process(*, channel: str) -> HubProcess:
    """Announce this process as a holder of sockets, with its first lease."""
    moment = now()
    return HubProcess.objects.create(
        channel=channel,
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=moment,
        lease_until=moment + timedelta(seconds=settings.HUB_PROCESS_LEASE),
    )


def renew_lease(*, process_id: int, last_frames: dict[int, datetime]) -> None:
    """Extend the process' lease, and note when its sessions were last heard: {session id: time}, all in one
    transaction.
    """
    with transaction.atomic():
        HubProcess.objects.filter(pk=process_id).update(
            lease_until=now() + timedelta(seconds=settings.HUB_PROCESS_LEASE), stopped_at=None
        )
        sessions = [Session(pk=session_id, last_frame_at=at) for session_id, at in last_frames.items()]
        Session.objects.bulk_update(sessions, ["last_frame_at"], batch_size=500)


def stop_process(*, process_id: int) -> None:
    """A planned stop: its sessions end now and not when the lease does."""
    moment = now()
    with transaction.atomic():
        HubProcess.objects.filter(pk=process_id).update(stopped_at=moment, lease_until=moment)
        sessions = list(Session.objects.open().filter(process_id=process_id).select_related("device__tenant"))
        _lock_devices(sessions)
        for session in sessions:
            _close(session, CloseReason.SHUTDOWN, moment)


@transaction.atomic
def open_session(
    *, device_id: int, credential_id: int, process_id: int, network: str | None, agent: str = ""
) -> OpenedSession:
    """Give the device a new epoch and this process its socket; an older connection is closed.

    Raises Unauthenticated when the device or its credential was ended since it was checked.
    """
    moment = now()
    # The row lock this UPDATE takes is held to the end: two connections of one device are put in order here.
    changed = Device.objects.filter(pk=device_id, state=DeviceState.ACTIVE).update(
        session_epoch=F("session_epoch") + 1, last_seen_at=moment
    )
    if not changed or not Credential.objects.usable(moment).filter(pk=credential_id).exists():
        raise Unauthenticated("The device or its credentials were ended.")
    device = Device.objects.select_related("tenant").get(pk=device_id)
    if device.activated_at is None:
        Device.objects.filter(pk=device_id).update(activated_at=moment)
        hooks.run_on_activation(device)
    for older in Session.objects.open().filter(device_id=device_id).select_related("process"):
        _close(older, CloseReason.REPLACED, moment)
        _hint_close(older, device)
    note_clone_suspicion(device=device, credential_id=credential_id, network=network)
    session = Session.objects.create(
        device_id=device_id,
        credential_id=credential_id,
        process_id=process_id,
        epoch=device.session_epoch,
        network=network,
        agent=agent,
        connected_at=moment,
        last_frame_at=moment,
    )
    hint_device_changed(device.tenant.public_id, device.public_id, "presence")
    log_event(logger, "device-connected", device=device.public_id, epoch=session.epoch, network=network)
    return OpenedSession(session.pk, session.public_id, session.epoch)


def note_agent(*, session_id: int, agent: str) -> None:
    """What software the device says it runs."""
    Session.objects.filter(pk=session_id).update(agent=agent)


@transaction.atomic
def close_session(*, session_id: int, reason: CloseReason, last_frame_at: datetime) -> bool:
    """Note that a connection ended. False when it was closed already, by a newer connection or by a revocation."""
    session = Session.objects.open().filter(pk=session_id).select_related("device__tenant").first()
    if session is None:
        return False
    _lock_devices([session])
    session.last_frame_at = last_frame_at
    Session.objects.filter(pk=session_id).update(last_frame_at=last_frame_at)
    return _close(session, reason, now())


@transaction.atomic
def end_sessions(*, device: Device, reason: CloseReason) -> None:
    """End the device's connection from the portal's side: fence its writes, then tell the process that holds the
    socket.
    """
    Device.objects.filter(pk=device.pk).update(session_epoch=F("session_epoch") + 1)
    for session in Session.objects.open().filter(device=device).select_related("process", "device__tenant"):
        _close(session, reason, now())
        _hint_close(session, device)


def close_abandoned_sessions(*, batch: int = 500) -> int:
    """Close sessions of processes that died, once the deadline to offline is over. Returns how many."""
    deadline = now() - timedelta(seconds=settings.HUB_OFFLINE_AFTER)
    closed = 0
    while True:
        sessions = list(Session.objects.abandoned(deadline).select_related("process", "device__tenant")[:batch])
        with transaction.atomic():
            _lock_devices(sessions)
            closed += sum(_close(session, CloseReason.ABANDONED, now()) for session in sessions)
        if len(sessions) < batch:
            return closed


def newest_sessions(*, device: Device, limit: int = 20) -> Collection[Session]:
    return list(
        Session.objects.filter(device=device).select_related("process", "credential").order_by("-epoch")[:limit]
    )


def _lock_devices(sessions: Collection[Session]) -> None:
    """Everybody takes the device's row before its sessions', and several in the order of their ids: a device that comes
    back while its old connection is being closed would wait for that, and that for it.
    """
    devices = Device.objects.select_for_update().filter(pk__in=[session.device_id for session in sessions])
    list(devices.order_by("pk").values_list("pk", flat=True))


def _close(session: Session, reason: CloseReason, moment: datetime) -> bool:
    """Conditional: of two that close one session, one wins."""
    changed = Session.objects.filter(pk=session.pk, closed_at=None).update(closed_at=moment, close_reason=reason)
    if not changed:
        return False
    session.closed_at, session.close_reason = moment, reason
    device = session.device
    if reason != CloseReason.REPLACED:
        Device.objects.filter(pk=device.pk, session_epoch=session.epoch).update(last_seen_at=session.last_frame_at)
        hint_device_changed(device.tenant.public_id, device.public_id, "presence")
        log_event(logger, "device-disconnected", device=device.public_id, epoch=session.epoch, reason=reason.value)
    return True


def _hint_close(session: Session, device: Device) -> None:
    code = _CLOSE_CODES.get(CloseReason(session.close_reason), _COME_BACK)
    message = {"type": "session.ended", "device": device.pk, "epoch": session.epoch, "code": code}
    hint_process(session.process.channel, message)
