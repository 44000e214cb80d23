"""The native front door of the hub: JSON frames over a WebSocket."""

import asyncio
import logging
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import RedisError

from devices.errors import DomainError, HelloMissing, PayloadTooLarge, TooManyRequests, Unavailable
from devices.models import CloseReason
from devices.services.sessions import close_session
from portal.lib.aio import run_db
from portal.lib.asgi import Scope
from twins import protocol
from twins.errors import InvalidFrame
from twins.hub.process import Hub, get_hub
from twins.hub.session import HubSession
from twins.models import Twin
from twins.rate import FrameRate

logger = logging.getLogger(__name__)

HELLO_WITHIN = 30  # seconds; a person may be typing
_CLOSED_BY_US = {4400: CloseReason.PROTOCOL, 4413: CloseReason.PROTOCOL, 4429: CloseReason.PROTOCOL}


class NativeDoor(AsyncWebsocketConsumer):
    """One device's socket. Frames are handled one after the other, in the order they came."""

    # Hints come to the process, not to the socket: a channel of its own would be a subscription in Redis a device.
    channel_layer_alias = "none"

    _session: HubSession | None = None
    _hub: Hub
    _greeted = False
    _ended_with: int | None = None
    _hello_timer: asyncio.TimerHandle | None = None
    _refusal: asyncio.Future[None] | None = None

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().__call__(*args, **kwargs)
        finally:
            # However it ended: a session that is left behind would keep the device online.
            await self.disconnect(1006)

    async def connect(self) -> None:
        self._rate = FrameRate(settings.HUB_FRAMES_PER_SECOND)
        self._hub = get_hub()
        scope: Scope = dict(self.scope)
        try:
            self._session = await self._hub.open(device=scope["device"], network=scope["network"], agent="", door=self)
        except DomainError as error:
            await self.close(error.ws_code)
            return
        except (DatabaseError, RedisError, OSError):
            logger.exception("session-not-opened")
            # Accepted first: refused, the connection would look to the device as if its credentials were not valid.
            await self.accept()
            await self.close(Unavailable.ws_code)
            return
        await self.accept()
        self._hello_timer = asyncio.get_running_loop().call_later(HELLO_WITHIN, self._no_hello)

    async def disconnect(self, code: int) -> None:
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        session, self._session = self._session, None
        if session is None:
            return
        self._hub.forget(session)
        reason = _CLOSED_BY_US.get(self._ended_with or 0, CloseReason.LOST if code == 1006 else CloseReason.DEVICE)
        # When the database is away the lease decides.
        try:
            await run_db(
                close_session,
                session_id=session.opened.session_id,
                reason=reason,
                last_frame_at=session.last_frame_at,
            )
        except DatabaseError:
            logger.warning("session-not-closed", exc_info=True)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        session = self._session
        if session is None or self._ended_with is not None:
            return
        session.heard()
        frame_id: str | None = None
        try:
            frame = self._read(text_data, bytes_data)
            frame_id = frame.id
            await self._handle(session, frame)
        except DomainError as error:
            await self._refuse(error, frame_id or str(error.data.get("id", "")) or None)
        except DatabaseError:
            # Not acknowledged, so the device sends it again.
            logger.exception("frame-not-handled")
            await self._refuse(Unavailable("The database is not available.", retry_after=5), frame_id)

    def _read(self, text: str | None, data: bytes | None) -> protocol.DeviceFrame:
        if not self._rate.allows():
            raise TooManyRequests(f"More than {self._rate.per_second} frames a second.", retry_after=10)
        if text is None:
            raise InvalidFrame("A frame is a text message.")
        if len(text) > settings.HUB_FRAME_LIMIT or len(text.encode()) > settings.HUB_FRAME_LIMIT:
            raise PayloadTooLarge(f"A frame has at most {settings.HUB_FRAME_LIMIT} bytes.")
        return protocol.read_frame(text)

    async def _handle(self, session: HubSession, frame: protocol.DeviceFrame) -> None:
        if isinstance(frame, protocol.Hello):
            await self._hello(session, frame)
        elif not self._greeted:
            raise HelloMissing()
        elif isinstance(frame, protocol.Report):
            version = await session.report(frame.patch)
            await self._say(protocol.reported(frame_id=frame.id, version=version))
        elif isinstance(frame, protocol.Acknowledge):
            await session.acknowledge(version=frame.version, failed=frame.failed, reason=frame.reason)
            await self._say(protocol.acknowledged(frame_id=frame.id, version=frame.version))
        elif isinstance(frame, protocol.GetTwin):
            await self._say(protocol.twin_frame(frame_id=frame.id, twin=await session.get_twin()))
        else:
            await self._say(protocol.pong(frame_id=frame.id))

    async def _hello(self, session: HubSession, frame: protocol.Hello) -> None:
        if self._greeted:
            raise InvalidFrame("There was a hello on this connection.")
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        twin, with_document = await session.greet(
            generation=frame.generation, desired_version=frame.desired_version, agent=frame.agent
        )
        self._greeted = True
        await self._say(
            protocol.welcome(
                frame_id=frame.id,
                session_id=str(session.opened.public_id),
                device_id=str(session.device.public_id),
                tenant_id=str(session.device.tenant_id),
                twin=twin,
                heartbeat=settings.HUB_HEARTBEAT,
                with_document=with_document,
            )
        )

    async def _say(self, text: str) -> None:
        """Send a frame, unless the connection is over. Each server raises an exception of its own then."""
        if self._ended_with is not None:
            return
        try:
            await self.send(text)
        except Exception as error:  # noqa: BLE001
            logger.debug("frame-not-sent: %r", error)
            self._ended_with = 1006

    async def _refuse(self, error: DomainError, frame_id: str | None) -> None:
        await self._say(protocol.error_frame(frame_id=frame_id, error=error))
        if error.ws_code is not None:
            await self.end(code=error.ws_code)

    def _no_hello(self) -> None:
        self._refusal = asyncio.ensure_future(self._refuse(HelloMissing(), None))

    # --- Door ---------------------------------------------------------------------------------------------------------

    async def push_desired(self, *, twin: Twin, from_version: int, patches: list[dict[str, Any]] | None) -> None:
        if patches is None:
            await self._say(protocol.desired_document(twin=twin, from_version=from_version))
            return
        for version, patch in enumerate(patches, start=from_version + 1):
            await self._say(protocol.desired_patch(generation=twin.generation, version=version, patch=patch))

    async def end(self, *, code: int, retry_after: int | None = None) -> None:
        if self._ended_with is not None:
            return
        if retry_after is not None:
            await self._say(protocol.bye(code=code, retry_after=retry_after))
        self._ended_with = code
        await self.close(code)
