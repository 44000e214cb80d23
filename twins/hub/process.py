"""The hub's part in this process: the sessions it holds, its lease, the channel on which it is told of changes."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from devices.errors import SessionReplaced
from devices.hints import channel_layer
from devices.services.credentials import AuthenticatedDevice
from devices.services.sessions import open_session, register_process, renew_lease, stop_process
from portal.lib.aio import run_db
from twins.hub.reads import desired_versions, ended_sessions
from twins.hub.session import Door, HubSession

logger = logging.getLogger(__name__)

_COMPARE_BATCH = 500
REPLACED, REVOKED = 4409, 4401


class Hub:
    """One per event loop, started by its first connection: Daphne has no start-up event to do it on."""

    def __init__(self) -> None:
        self._sessions: dict[int, HubSession] = {}
        self._process_id: int | None = None
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, *, device: AuthenticatedDevice, network: str | None, agent: str, door: Door) -> HubSession:
        """Register a connection. An older one of the same device is closed, here or in another process.

        Raises Unauthenticated when the device was ended since it was authenticated, SessionReplaced when it has a newer
        connection by now.
        """
        process_id = await self._ensure_started()
        opened = await run_db(
            open_session,
            device_id=device.device_id,
            credential_id=device.credential_id,
            process_id=process_id,
            network=network,
            agent=agent,
        )
        session = HubSession(device=device, opened=opened, network=network, door=door)
        older = self._sessions.get(device.device_id)
        if older is not None and older.opened.epoch > opened.epoch:
            # Two connected at once, and the later one got here first.
            raise SessionReplaced()
        self._sessions[device.device_id] = session
        if older is not None:
            self._spawn(older.end(code=REPLACED))
        return session

    def forget(self, session: HubSession) -> None:
        """The door's connection is over."""
        if self._sessions.get(session.device.device_id) is session:
            del self._sessions[session.device.device_id]

    async def stop(self) -> None:
        """A planned stop: the sessions end now, and not when the lease does."""
        if self._process_id is not None:
            await run_db(stop_process, process_id=self._process_id)

    async def _ensure_started(self) -> int:
        async with self._starting:
            if self._process_id is None:
                layer = channel_layer()
                channel = await layer.new_channel("hub")
                process = await run_db(register_process, channel=channel)
                self._process_id = process.pk
                self._spawn(self._listen(channel))
                self._spawn(self._renew_lease(process.pk))
                self._spawn(self._compare_versions())
        return self._process_id

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        # The loop keeps only weak references to tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, channel: str) -> None:
        layer = channel_layer()
        while True:
            message = await layer.receive(channel)
            session = self._sessions.get(message["device"])
            if session is None:
                continue
            if message["type"] == "desired.changed":
                self._spawn(self._push(session))
            elif message["type"] == "session.ended" and session.opened.epoch <= message["epoch"]:
                self._spawn(session.end(code=message["code"]))

    async def _push(self, session: HubSession) -> None:
        # What could not be read now is found by the next compare.
        with contextlib.suppress(DatabaseError):
            await session.desired_may_have_changed()

    async def _renew_lease(self, process_id: int) -> None:
        interval = settings.HUB_PROCESS_LEASE / 3
        noted: dict[int, float] = {}
        while True:
            await asyncio.sleep(interval)
            frames = {
                session.opened.session_id: session.last_frame_at
                for session in self._sessions.values()
                if noted.get(session.opened.session_id) != session.last_frame_at.timestamp()
            }
            try:
                await run_db(renew_lease, process_id=process_id, last_frames=frames)
            except DatabaseError:
                logger.warning("lease-not-renewed", exc_info=True)
            else:
                live = {session.opened.session_id for session in self._sessions.values()}
                noted = {key: at for key, at in noted.items() if key in live}
                noted.update((key, at.timestamp()) for key, at in frames.items())

    async def _compare_versions(self) -> None:
        """Heals lost hints: whatever was sent is compared with what is there."""
        while True:
            await asyncio.sleep(settings.HUB_COMPARE_INTERVAL)
            ids = list(self._sessions)
            for start in range(0, len(ids), _COMPARE_BATCH):
                await self._compare(ids[start : start + _COMPARE_BATCH])

    async def _compare(self, ids: list[int]) -> None:
        epochs = {device_id: self._sessions[device_id].opened.epoch for device_id in ids if device_id in self._sessions}
        try:
            versions = await run_db(desired_versions, device_ids=ids)
            ended = await run_db(ended_sessions, epochs=epochs)
        except DatabaseError:
            logger.warning("versions-not-compared", exc_info=True)
            return
        for device_id, version in versions.items():
            session = self._sessions.get(device_id)
            if session is not None and session.sent_version not in (None, version):
                self._spawn(self._push(session))
        for device_id, may_return in ended.items():
            session = self._sessions.get(device_id)
            if session is not None and session.opened.epoch == epochs[device_id]:
                self._spawn(session.end(code=REPLACED if may_return else REVOKED))


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def get_hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    for closed in [known for known in _hubs if known.is_closed()]:
        del _hubs[closed]
    return _hubs.setdefault(loop, Hub())
