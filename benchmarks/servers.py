"""What benchmarks measure against: servers of their own, on databases of their own, pinned beside the load."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from portal.launch.process import die_with
from portal.launch.redis_server import free_port
from tests.servers import postgres_database, postgres_server, redis_server

ROOT: Final = Path(__file__).resolve().parent.parent
# On a machine with two cores or more the server has one to itself, and the load another.
_CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CORE: Final = {_CORES[0]} if len(_CORES) > 1 else None
LOAD_CORE: Final = {_CORES[-1]} if len(_CORES) > 1 else None


@contextmanager
def stores() -> Iterator[dict[str, str]]:
    """A PostgreSQL that waits for its disk, a Redis, a data directory: as environment variables for the portal."""
    with (
        tempfile.TemporaryDirectory(prefix="gangway-bench-") as directory,
        redis_server() as redis_url,
        postgres_server(fsync="on", full_page_writes="on") as server_url,
        postgres_database(server_url) as database_url,
    ):
        yield {
            "DATA_DIR": directory,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "benchmarks only, on loopback, thrown away at the end",
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "LOG_LEVEL": "WARNING",
        }


@contextmanager
def postgres_beside(environment: dict[str, str]) -> Iterator[str]:
    """Another database on the same server, for a peer."""
    with postgres_database(environment["DATABASE_URL"]) as url:
        yield url


def manage(environment: dict[str, str], *arguments: str) -> str:
    """Run a management command on the benchmark's stores."""
    command = [sys.executable, "manage.py", *arguments]
    finished = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=os.environ | environment, check=True, capture_output=True, text=True
    )
    return finished.stdout


@contextmanager
def portal_on_uvicorn(environment: dict[str, str], processes: int = 1, **more: str) -> Iterator[int]:
    """The portal as in production, on uvicorn. Gives its port."""
    arguments = (
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--ws",
        "websockets-sansio",
        "--no-access-log",
        "--no-proxy-headers",
    )
    workers = ("--workers", str(processes)) if processes > 1 else ()
    command = ("-m", "uvicorn", *arguments, *workers, "--log-level", "warning", "portal.asgi:application")
    with serving(command, environment | more, core=SERVER_CORE if processes == 1 else None) as port:
        yield port


@contextmanager
def serving(
    command: tuple[str, ...],
    environment: dict[str, str],
    python: str = sys.executable,
    core: set[int] | None = SERVER_CORE,
) -> Iterator[int]:
    """A Python server process on a free port, which it is given as `--port`, once it answers."""
    port = free_port()
    process = subprocess.Popen(  # noqa: S603
        [python, *command, "--port", str(port)],
        cwd=ROOT,
        env=os.environ | environment,
        preexec_fn=die_with(os.getpid()),
    )
    if core is not None:
        os.sched_setaffinity(process.pid, core)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with status {process.returncode}.")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5)  # noqa: S310
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The server did not answer.")
