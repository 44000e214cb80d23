"""What can be known to be wrong before anything is started. Each failure is one sentence."""

import errno
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import redis

from portal.launch.errors import LaunchError

OLDEST_PYTHON: Final = (3, 11)
_PATIENCE: Final = 1.0  # seconds in which the processes of a launcher that was killed give the port back
_CONNECT_TIMEOUT: Final = 5
# Settings of Django's own among the database's options; all others are the driver's.
_NOT_FOR_THE_DRIVER: Final = {"pool", "isolation_level", "server_side_binding", "assume_role"}


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    """Refuses a Python that is too old."""
    if version < OLDEST_PYTHON:
        raise LaunchError(f"Gangway needs Python 3.11 or newer; this is {version[0]}.{version[1]}.")


def check_address(host: str, port: int) -> None:
    """Refuses an address that cannot be listened on."""
    deadline = time.monotonic() + _PATIENCE
    while (problem := _bind(host, port)) is not None:
        if problem.errno != errno.EADDRINUSE:
            raise LaunchError(_sentence(problem, host, port)) from problem
        if time.monotonic() > deadline:
            raise LaunchError(f"Port {port} of {host} is taken by another program; set PORT to a free one.")
        time.sleep(0.1)


def _bind(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As the server does it: connections that linger in the kernel are no obstacle, a listener is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _sentence(problem: OSError, host: str, port: int) -> str:
    if isinstance(problem, socket.gaierror):
        return f"HOST is {host}, which is neither an address nor a name that can be resolved."
    if problem.errno == errno.EADDRNOTAVAIL:
        return f"HOST is {host}, which is not an address of this machine."
    if problem.errno == errno.EACCES:
        return f"Port {port} may not be used by this user; ports from 1024 on may."
    return f"The portal cannot listen on port {port} of {host}: {problem.strerror}."


def check_database(database: Mapping[str, Any]) -> None:
    """Refuses a PostgreSQL server that cannot be reached. A SQLite file is found out about when it is opened."""
    if not str(database["ENGINE"]).endswith("postgresql"):
        return
    # Here and not at the top: an installation on SQLite starts faster without the driver.
    import psycopg

    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    arguments = {argument: database[name] for name, argument in names.items() if database.get(name)}
    options = {name: value for name, value in database["OPTIONS"].items() if name not in _NOT_FOR_THE_DRIVER}
    try:
        psycopg.connect(**{"connect_timeout": _CONNECT_TIMEOUT} | options | arguments).close()
    except psycopg.Error as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise LaunchError(f"The database of DATABASE_URL cannot be used: {reason}.") from None


def check_redis(url: str) -> None:
    """Refuses a Redis server that cannot be reached."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=_CONNECT_TIMEOUT) as client:
            client.ping()
    except ValueError:
        raise LaunchError("REDIS_URL must look like redis://:password@host:6379/0 or rediss://….") from None
    except redis.RedisError as error:
        place = urlsplit(url).hostname or "its socket"
        reason = " ".join(str(error).split()).rstrip(".")
        raise LaunchError(f"The Redis server of REDIS_URL on {place} cannot be used: {reason}.") from None
