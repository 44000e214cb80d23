"""Options and habits that the commands share."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from gangway_device.errors import ConfigurationError
from gangway_device.network import Network
from gangway_device.store import Store

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes."""
    parser.add_argument("--proxy", metavar="URL", help="CONNECT proxy: http://[user:password@]host:port")
    parser.add_argument("--ca-file", metavar="FILE", help="certificates (PEM) to trust instead of the system's")
    parser.add_argument("--verbose", action="store_true", help="say more on stderr")


def add_state_option(parser: argparse.ArgumentParser, default: str) -> None:
    """Add --state, whose default is described by `default`."""
    parser.add_argument("--state", type=Path, metavar="FILE", help=f"the credentials' file (default: {default})")


def network_of(options: argparse.Namespace) -> Network:
    """The network the options describe. Raises ConfigurationError."""
    return Network(proxy=options.proxy, ca_file=options.ca_file)


def state_directory() -> Path:
    """Where state files are kept (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "gangway-device"


def state_file(directory: Path, serial_number: str) -> Path:
    """The state file of one device. A serial number may hold characters that a file name must not."""
    return directory / f"{quote(serial_number, safe=' ')}.json"


def existing_store(options: argparse.Namespace) -> Store:
    """The store that --state names, or the only one there is. Raises ConfigurationError."""
    if options.state is not None:
        return Store(options.state)
    found = sorted(state_directory().glob("*.json"))
    if len(found) != 1:
        raise ConfigurationError(f"{len(found)} state files in {state_directory()}; name one with --state")
    return Store(found[0])


def run_until_terminated(coroutine: Coroutine[Any, Any, None]) -> int:
    """Run to the end, or until SIGTERM: then the coroutine is cancelled, and ending so is a success."""
    terminated = False

    async def main() -> None:
        task = asyncio.ensure_future(coroutine)

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        try:
            await task
        except asyncio.CancelledError:
            if not terminated:
                raise

    asyncio.run(main())
    return 0
