"""Keeps the portal's processes running, and stops them in order."""

import asyncio
import signal
import time
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Final

from portal.launch.announce import report
from portal.launch.process import Child, signal_group, spawn

_LONGEST_PAUSE: Final = 30.0
_STEADY_AFTER: Final = 60.0  # seconds of running after which a death counts as the first again
_GRACE: Final = 10.0  # seconds between SIGTERM and SIGKILL


class Keeper:
    """Runs one child, again and again, until it is told to stop."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.deaths = 0
        self._pause = 1.0
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=child.name)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            ending = await self._run_once()
            if self._stopping.is_set():
                return
            self.deaths += 1
            if time.monotonic() - started > _STEADY_AFTER:
                self._pause = 1.0
            report(f"{self.child.name} {ending}; starting it again in {self._pause:g} s.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    async def _run_once(self) -> str:
        try:
            self._process = await spawn(self.child)
        except OSError as error:
            return f"cannot be started ({error.strerror})"
        if self._stopping.is_set():
            signal_group(self._process, signal.SIGTERM)
        code = await self._process.wait()
        # What it had started itself must not run beside its successor.
        signal_group(self._process, signal.SIGKILL)
        return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"

    async def stop(self) -> None:
        """Ends the child: politely, then not."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        _, late = await asyncio.wait({self._task}, timeout=_GRACE)
        if late:
            report(f"{self.child.name} does not stop; killing it.")
            self.kill()
            await self._task

    def kill(self) -> None:
        """Ends the child at once."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            signal_group(self._process, number)


class Supervisor:
    """All children of the launcher, in the order in which they were started."""

    def __init__(self) -> None:
        self._keepers: list[Keeper] = []
        self._passing: Process | None = None

    def keep(self, child: Child) -> Keeper:
        """Starts a child and keeps it running."""
        keeper = Keeper(child)
        self._keepers.append(keeper)
        return keeper

    async def run(self, child: Child) -> tuple[int, str]:
        """Runs a child once, to its end. Returns its status and what it printed."""
        self._passing = process = await spawn(child, stdout=PIPE)
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            signal_group(process, signal.SIGTERM)
            await process.wait()
            raise
        return await process.wait(), output.decode()

    async def stop(self) -> None:
        """Stops all children, the last one first: whatever a child needs was started before it."""
        while self._keepers:
            await self._keepers[-1].stop()
            self._keepers.pop()

    async def drop(self, keeper: Keeper) -> None:
        """Stops one child for good."""
        await keeper.stop()
        self._keepers.remove(keeper)

    def kill(self) -> None:
        """Kills all children at once."""
        if self._passing is not None and self._passing.returncode is None:
            signal_group(self._passing, signal.SIGKILL)
        for keeper in self._keepers:
            keeper.kill()
