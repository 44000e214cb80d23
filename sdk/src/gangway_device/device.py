"""A device that stays in step with its twin."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from gangway_device import frames, twin
from gangway_device.applying import Applier, DesiredCallback
from gangway_device.backoff import Backoff, Pace
from gangway_device.concurrency import first_of
from gangway_device.confirmation import remember_confirmed
from gangway_device.connection import FORBIDDEN, Connection, Unreachable, UpgradeRefused, open_websocket
from gangway_device.endings import ComeBack
from gangway_device.errors import DeviceClosed, GangwayError
from gangway_device.files import FileLock
from gangway_device.frames import JsonObject
from gangway_device.network import Network
from gangway_device.outbox import Outbox
from gangway_device.store import Credentials, Store
from gangway_device.twin import Desired

log = logging.getLogger(__name__)

PROTOCOL = 1


@dataclass(frozen=True)
class Twin:
    """Both sections of the twin as the hub has them: documents, and the version of each."""

    desired: JsonObject
    desired_version: int
    reported: JsonObject
    reported_version: int


class Device:
    """The connection of one provisioned device to its hub, kept up for as long as the device is started.

    Either `async with Device(store) as device: ...`, or `await device.run()`. A connection that ends is opened again,
    for ever; only what the hub says for good stops the device (the subclasses of Stopped).
    """

    def __init__(
        self, store: Store, *, network: Network | None = None, agent: str = "gangway-device", pace: Pace | None = None
    ) -> None:
        """`agent` is the name and version of the device's software, at most 128 characters."""
        self._store = store
        self._network = network or Network()
        self._pace = pace or Pace()
        self._hello: JsonObject = {"type": "hello", "protocol": PROTOCOL, "agent": agent[:128]}
        self._backoff = Backoff(self._pace.base, self._pace.cap)
        self._outbox = Outbox()
        self._applier = Applier(self._outbox, store)
        self._welcomed = asyncio.Event()
        self._connected_at: float | None = None
        self._forbidden = 0
        self._running: asyncio.Task[None] | None = None
        self._unconfirmed: Credentials | None = None
        self.connections = 0
        """How many times the hub has welcomed this object."""

    @property
    def connected(self) -> bool:
        """Whether the hub has welcomed the connection that is open now."""
        return self._welcomed.is_set()

    @property
    def desired(self) -> Desired | None:
        """The desired document at hand, also offline and after a restart; None before the hub first sent one.

        After a restart the callback is not called for a document that was applied before: read it here.
        """
        return self._applier.desired

    def on_desired(self, callback: DesiredCallback) -> None:
        """Have `callback(document, version)` called for every desired document to apply; one callback at a time.

        A plain function must not block, a coroutine function may take its time. Returning tells the hub `applied`,
        raising tells it `failed`, with class and text of the exception. A crash in between calls it again after the
        restart. While it works, newer versions replace each other, and it is called with the last.
        """
        self._applier.register(callback)

    def start(self) -> None:
        """Begin to connect, in the background. Raises NotProvisioned, StoreBusy and the other StoreErrors."""
        if self._running is not None:
            raise RuntimeError("a Device is started once")
        lock = self._store.lock()
        try:
            credentials = self._store.load_credentials()
            self._applier.restore()
        except BaseException:
            lock.release()
            raise
        self._unconfirmed = None if credentials.confirmed else credentials
        self._running = asyncio.ensure_future(self._live(credentials, lock))

    async def connect(self, timeout: float | None = None) -> None:
        """Start if need be and wait until the hub has welcomed the device, at most `timeout` seconds.

        Raises Stopped, StoreError, TimeoutError.
        """
        if self._running is None:
            self.start()
        async with asyncio.timeout(timeout):
            await self._unless_stopped(asyncio.ensure_future(self._welcomed.wait()))

    async def run(self) -> None:
        """Start if need be and stay until `close` is called. Raises Stopped, StoreError."""
        if self._running is None:
            self.start()
        assert self._running is not None  # noqa: S101 - for the type checker
        await asyncio.wait([self._running])
        self._raise_if_stopped()

    async def report(self, patch: JsonObject, *, timeout: float | None = None) -> int:
        """Change the reported section by a merge patch (RFC 7396); the section's version once the change is durable.

        Reports are delivered in order and at least once: one without an answer is sent again after a reconnect. After
        `timeout` seconds (None: never) it is withdrawn, with TimeoutError; the hub may or may not have taken it.
        Raises FrameError for what must not be sent, FrameRefused, Stopped, DeviceClosed.
        """
        return frames.integer(await self._ask({"type": "report", "patch": patch}, timeout), "version")

    async def get_twin(self, *, timeout: float | None = None) -> Twin:
        """Both sections as the hub has them now. Raises FrameRefused, Stopped, DeviceClosed, TimeoutError."""
        answer = await self._ask({"type": "getTwin"}, timeout)
        desired = twin.read_twin(answer).desired
        reported_version = frames.integer(frames.mapping(answer, "reported"), "$version")
        return Twin(desired.document, desired.version, twin.reported_section(answer), reported_version)

    async def close(self) -> None:
        """Close the connection. Reports without an answer end with DeviceClosed."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def __aenter__(self) -> Device:
        self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _ask(self, frame: JsonObject, timeout: float | None) -> JsonObject:
        if self._running is None:
            raise DeviceClosed("the device is not started")
        if self._running.done():
            self._raise_if_stopped()
            raise DeviceClosed("the device is closed")
        async with asyncio.timeout(timeout):
            return await self._outbox.put(frame).answer

    async def _unless_stopped(self, event: asyncio.Task[bool]) -> None:
        assert self._running is not None  # noqa: S101 - for the type checker
        try:
            await asyncio.wait([event, self._running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            event.cancel()
        self._raise_if_stopped()

    def _raise_if_stopped(self) -> None:
        if self._running is not None and self._running.done() and not self._running.cancelled():
            self._running.result()

    async def _live(self, credentials: Credentials, lock: FileLock) -> None:
        error: Exception = DeviceClosed("the device was closed")
        try:
            await first_of(self._applier.run(), self._stay_connected(credentials))
        except GangwayError as stopped:
            error = stopped
            raise
        finally:
            self._outbox.fail(error)
            lock.release()

    async def _stay_connected(self, credentials: Credentials) -> None:
        while True:
            ending = await self._connect_once(credentials)
            delay = self._backoff.next() if ending.after is None else ending.after
            log.warning("%s; coming back in %.1f s", ending.why, delay)
            await asyncio.sleep(delay)

    async def _connect_once(self, credentials: Credentials) -> ComeBack:
        try:
            websocket = await open_websocket(credentials, self._network, self._pace.answer_timeout)
        except UpgradeRefused as refused:
            ending = refused.ending(self._forbidden)
            self._forbidden = self._forbidden + 1 if refused.status == FORBIDDEN else 0
            return ending
        except Unreachable as unreachable:
            return ComeBack(f"the hub cannot be reached: {unreachable}")
        self._forbidden = 0
        connection = Connection(websocket, self._outbox, self._applier, self._pace.answer_timeout)
        try:
            return await connection.serve(self._hello, self._on_welcome)
        finally:
            self._on_end()

    def _on_welcome(self, welcome: JsonObject) -> None:
        self._connected_at = asyncio.get_running_loop().time()
        self.connections += 1
        self._welcomed.set()
        log.info("connected", extra={"session_id": welcome.get("sessionId")})
        if self._unconfirmed is not None:
            # The portal takes the first connection for the confirmation.
            remember_confirmed(self._store, self._unconfirmed)
            self._unconfirmed = None

    def _on_end(self) -> None:
        self._welcomed.clear()
        now = asyncio.get_running_loop().time()
        if self._connected_at is not None and now - self._connected_at >= self._pace.stable_after:
            self._backoff.reset()
        self._connected_at = None
