"""Real processes of the portal on the database of the tests: a Daphne that is started once, a Celery worker.

Tests that use them cannot roll anything back: they take the `live_db` fixture, which lets rows stay, and make rows
that no other test meets. pytest-django runs them after all tests that empty the database.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx
from django.conf import settings
from django.db import connection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from devices.models import Region
from portal.launch.process import die_with
from portal.launch.redis_server import free_port
from tests.environment import clean_environment
from tests.times import until

ROOT = Path(__file__).resolve().parent.parent
_DAPHNE = ("-m", "daphne", "--verbosity=0", "--websocket_timeout=-1", "--no-server-name", "--bind=127.0.0.1")
_CELERY = ("-W", "ignore::UserWarning", "-m", "celery", "--quiet", "--app=portal.celery")


class Process:
    """One process of the portal, with its log."""

    def __init__(self, *arguments, variables=None):
        self.log_file = Path(settings.DATA_DIR) / f"process-{secrets.token_hex(4)}.log"
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=child_environment() | (variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),
            )

    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def ended(self):
        return self.process.poll() is not None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Server(Process):
    """A Daphne that answers."""

    def __init__(self, **variables):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.hub = f"ws://127.0.0.1:{self.port}/hub/v1"
        super().__init__(*_DAPHNE, f"--port={self.port}", "portal.asgi:application", variables=variables)
        try:
            until(self._answers, "Daphne", 60)
        except AssertionError:
            raise AssertionError(self.log()) from None

    def _answers(self):
        assert not self.ended(), self.log()
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def post(self, path, body, *, client=httpx, headers=None, timeout=30):
        return client.post(f"{self.url}/api/v1/{path}", json=body, headers=headers, timeout=timeout)

    def poll(self, body, *, wait=None, client=httpx, timeout=30):
        headers = {"Prefer": f"wait={wait}"} if wait else None
        return self.post("provisioning/poll", body, client=client, headers=headers, timeout=timeout)


def child_environment():
    """What makes another process work on the database and the Redis of this one."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    return clean_environment() | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": url,
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "DATA_DIR": str(settings.DATA_DIR),
        "POLL_MINIMUM_INTERVAL": "0",
        "ENROLMENTS_PER_MINUTE": "100000",
        "HUB_COMPARE_INTERVAL": "1",
        "DATABASE_THREADS": "6",
        "PYTHONUNBUFFERED": "1",
    }


@cache
def _shared_server():
    region = Region.objects.create(code=f"r{secrets.token_hex(4)}", name="marks this database")
    return Server(), region.pk


def kill_shared_server():
    if _shared_server.cache_info().currsize:
        _shared_server()[0].kill()


def shared_server():
    """The Daphne all tests share. A new one when the database was emptied: it had its rows there too."""
    server, mark = _shared_server()
    if server.ended() or not Region.objects.filter(pk=mark).exists():
        server.kill()
        _shared_server.cache_clear()
        server, _ = _shared_server()
    return server


@contextmanager
def own_server(**variables):
    """A Daphne for one test, which may kill it."""
    server = Server(**variables)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def celery_worker():
    worker = Process(*_CELERY, "worker", "--pool=threads", "--concurrency=1", "--without-gossip", "--without-mingle")
    try:
        yield worker
    finally:
        worker.kill()


class Socket:
    """A device on its socket, typed by hand: nothing of ours on the device's side."""

    def __init__(self, connection):
        self.connection = connection

    def send(self, kind, **members):
        self.connection.send(json.dumps({"type": kind, **members}))

    def read(self, timeout=20):
        return json.loads(self.connection.recv(timeout))

    def ask(self, kind, **members):
        self.send(kind, **members)
        return self.read()

    def hello(self, **members):
        return self.ask("hello", protocol=1, **members)

    def close_code(self):
        """Reads up to the end; the code it was closed with."""
        return self.remainder()[1]

    def remainder(self, timeout=20):
        """The frames up to the end, and the code it was closed with."""
        frames = []
        while True:
            try:
                frames.append(self.read(timeout))
            except ConnectionClosed as closed:
                return frames, closed.rcvd.code if closed.rcvd else 1006

    def close(self):
        self.connection.close()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def device_socket(server, aboard, *, authorization=None):
    """A socket of the device. It has not said hello."""
    header = basic(aboard.device_id, aboard.secret) if authorization is None else authorization
    headers = {"Authorization": header} if header else {}
    with connect(
        server.hub, additional_headers=headers, open_timeout=20, close_timeout=2, max_size=2**20, compression=None
    ) as connection:
        yield Socket(connection)
