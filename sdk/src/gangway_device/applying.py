"""Keeping in step with the desired document: the version rule, the callback, and telling the hub how it went."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from gangway_device.errors import StoreError
from gangway_device.frames import JsonObject
from gangway_device.outbox import Outbox
from gangway_device.store import Snapshot, Store
from gangway_device.twin import Desired, Patch, Replace, Verdict, advance

log = logging.getLogger(__name__)

MAX_REASON = 512

DesiredCallback: TypeAlias = Callable[[JsonObject, int], Awaitable[None] | None]
"""Called with the desired document and its version. Returning means applied, raising means failed."""


class Applier:
    """Applies one version at a time. While a callback works, newer versions replace each other: the last one counts."""

    def __init__(self, outbox: Outbox, store: Store) -> None:
        self._outbox = outbox
        self._store = store
        self._callback: DesiredCallback | None = None
        self._changed = asyncio.Event()
        self._settled: Desired | None = None
        self._outcome: JsonObject | None = None
        self.desired: Desired | None = None

    def register(self, callback: DesiredCallback) -> None:
        """Have `callback` called; at once, if there is a document that nobody has applied yet."""
        self._callback = callback
        self._changed.set()

    def restore(self) -> None:
        """Go on where the last process of this device stopped."""
        snapshot = self._store.load_snapshot()
        if snapshot is not None:
            self.desired = self._settled = snapshot.desired
            self._outcome = snapshot.outcome

    def receive(self, change: Replace | Patch | Verdict) -> None:
        """Take a change from the hub, or ask for the twin where the rule says so."""
        result = change if isinstance(change, Verdict) else advance(self.desired, change)
        if result is Verdict.ASK:
            self._outbox.put_once({"type": "getTwin"})
        elif isinstance(result, Desired):
            if self.desired is not None and self.desired.generation != result.generation:
                # The version in these means nothing to the new twin.
                self._outbox.withdraw("applied", "failed")
                self._outcome = None
            self.desired = result
            self._changed.set()

    async def run(self) -> None:
        """Apply what comes, for ever."""
        while True:
            if self._outcome is not None:
                await self._tell(self._outcome)
            await self._changed.wait()
            self._changed.clear()
            callback, desired = self._callback, self.desired
            if callback is not None and desired is not None and desired != self._settled:
                await self._settle(desired, await _apply(callback, desired))

    async def _settle(self, desired: Desired, outcome: JsonObject) -> None:
        self._settled = desired
        # The twin may have been replaced by a new one while the callback worked.
        same_twin = self.desired is not None and self.desired.generation == desired.generation
        self._outcome = outcome if same_twin else None
        await self._keep()

    async def _tell(self, outcome: JsonObject) -> None:
        answer = self._outbox.put(outcome).answer
        # Not awaited itself: whoever withdraws the frame cancels it, and that must not end this task.
        await asyncio.wait([answer])
        if not answer.cancelled() and answer.exception() is not None:
            log.warning("the hub did not take %s: %s", outcome["type"], answer.exception())
        if self._outcome is outcome:
            self._outcome = None
            await self._keep()
        self._changed.set()

    async def _keep(self) -> None:
        if self._settled is not None:
            try:
                # In a thread: syncing flash memory may take long, and other devices may share this loop.
                await asyncio.to_thread(self._store.save_snapshot, Snapshot(self._settled, self._outcome))
            except StoreError as error:
                # A full disk must not cut the device off; after a restart the hub sends the document again.
                log.warning("%s", error)


async def _apply(callback: DesiredCallback, desired: Desired) -> JsonObject:
    try:
        waiting = callback(copy.deepcopy(desired.document), desired.version)
        if inspect.isawaitable(waiting):
            await waiting
    except Exception as error:  # noqa: BLE001 - somebody else's code: whatever it raises is the answer
        log.info("desired version %s failed: %s", desired.version, type(error).__name__)
        return {"type": "failed", "version": desired.version, "reason": reason_of(error)}
    return {"type": "applied", "version": desired.version}


def reason_of(error: Exception) -> str:
    """Class and text of `error`, as a `failed` frame may carry it: at most 512 characters, no lone surrogates."""
    text = f"{type(error).__name__}: {error}"
    return text.encode("utf-8", "replace").decode()[:MAX_REASON]
