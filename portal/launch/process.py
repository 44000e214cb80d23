"""One child process: how it is started so that it can neither be missed nor left behind."""

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """What to run. Adding a process to the portal means adding one of these (portal/launch/children.py)."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path


async def spawn(child: Child, *, stdout: int | None = None) -> Process:
    """Starts a child in a session of its own: Ctrl-C reaches the launcher alone, which then stops all in order."""
    return await asyncio.create_subprocess_exec(
        *child.command,
        env=dict(child.environment),
        cwd=child.directory,
        stdin=DEVNULL,
        stdout=stdout,
        start_new_session=True,
        preexec_fn=die_with(os.getpid()),
    )


def signal_group(process: Process, number: signal.Signals) -> None:
    """Sends a signal to a child and to whatever it started itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def die_with(parent: int) -> Callable[[], None]:
    """What a new process has to call so that it does not outlive its parent. Only Linux knows how."""

    def ask_the_kernel() -> None:
        if _libc is None:
            return
        # Only the kernel can tidy up after a launcher that was killed with SIGKILL.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it could be named
            os._exit(1)

    return ask_the_kernel
