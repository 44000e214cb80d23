"""The same device for programs without asyncio."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gangway_device.backoff import Pace
from gangway_device.device import Device, Twin
from gangway_device.errors import DeviceClosed
from gangway_device.frames import JsonObject
from gangway_device.network import Network
from gangway_device.store import Store
from gangway_device.twin import Desired

Result = TypeVar("Result")


class BlockingDevice:
    """A Device whose loop runs in a thread of its own. Its methods block, from any thread, and raise the same.

    The callback for desired documents runs in another thread: it may block, and it may call this object.
    """

    def __init__(
        self, store: Store, *, network: Network | None = None, agent: str = "gangway-device", pace: Pace | None = None
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="gangway-device", daemon=True)
        self._device = Device(store, network=network, agent=agent, pace=pace)

    @property
    def connected(self) -> bool:
        """Whether the hub has welcomed the connection that is open now."""
        return self._device.connected

    @property
    def desired(self) -> Desired | None:
        """The desired document at hand, see Device.desired."""
        return self._device.desired

    def on_desired(self, callback: Callable[[JsonObject, int], None]) -> None:
        """Have `callback(document, version)` called for every desired document to apply, see Device.on_desired."""
        if inspect.iscoroutinefunction(callback):
            raise TypeError("a blocking device takes a plain function")

        async def in_thread(document: JsonObject, version: int) -> None:
            await asyncio.to_thread(callback, document, version)

        self._start_thread()
        self._loop.call_soon_threadsafe(self._device.on_desired, in_thread)

    def connect(self, timeout: float | None = None) -> None:
        """Start if need be and wait until the hub has welcomed the device. Raises as Device.connect."""
        self._wait(self._device.connect(timeout))

    def report(self, patch: JsonObject, *, timeout: float | None = None) -> int:
        """Change the reported section, see Device.report."""
        return self._wait(self._device.report(patch, timeout=timeout))

    def get_twin(self, *, timeout: float | None = None) -> Twin:
        """Both sections as the hub has them now, see Device.get_twin."""
        return self._wait(self._device.get_twin(timeout=timeout))

    def close(self) -> None:
        """Close the connection and end the thread; the object cannot be used again."""
        if self._thread.is_alive():
            self._wait(self._device.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        elif not self._loop.is_closed():
            self._loop.close()

    def __enter__(self) -> BlockingDevice:
        try:
            self._wait(self._start())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def _start(self) -> None:
        self._device.start()

    def _wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        if self._loop.is_closed():
            coroutine.close()
            raise DeviceClosed("the device is closed")
        self._start_thread()
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _start_thread(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()
