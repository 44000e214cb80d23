"""Whole provisionings: a code, a claim through the API, a hand-over sealed to the device's key, a first connection.

One portal as in production, two uvicorn processes on PostgreSQL, beside one process that plays all devices and
technicians. The other side of the comparison is the same without anything but the four requests' own cost: as many
requests that only ask the portal for its health.
Goal: 100 devices a second on one node.
"""

import asyncio
import base64
import itertools
import json
import os
import sys
import time
from contextlib import ExitStack
from typing import Any

from benchmarks.servers import manage, portal_on_uvicorn, stores

DEVICES = 1500
AT_ONCE = 48
TECHNICIANS = 24
_PEOPLE = """
from devices.models import Membership, Role, Tenant, User
from devices.services.api_tokens import create_api_token
from devices.services.bootstrap import bootstrap_installation
bootstrap_installation(admin_password="benchmarks-only")
tenant = Tenant.objects.get()
for number in range(%d):
    user = User.objects.create_user(f"technician-{number}")
    Membership.objects.create(user=user, tenant=tenant, role=Role.TECHNICIAN)
    print(create_api_token(user=user, name="benchmark")[1])
"""


class Connection:
    """One kept HTTP/1.1 connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, authorization: str = ""
    ) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        content = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
        if authorization:
            head += f"Authorization: {authorization}\r\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
        answer = await reader.readexactly(int(lengths[0])) if lengths else b""
        return int(lines[0].split(" ")[1]), answer


class Fleet:
    """Devices and technicians, in one process."""

    def __init__(self, port: int, tokens: list[str]) -> None:
        self._port = port
        self._tokens = itertools.cycle(tokens)
        self._numbers = itertools.count()
        self.waits: list[float] = []

    async def run(self) -> float:
        """Seconds for all devices."""
        started = time.perf_counter()
        await asyncio.gather(*(self._work() for _ in range(AT_ONCE)))
        return time.perf_counter() - started

    async def _work(self) -> None:
        connection = Connection(self._port)
        while (number := next(self._numbers)) < DEVICES:
            begun = time.perf_counter()
            await self._aboard(connection, f"BENCH-{number}")
            self.waits.append(time.perf_counter() - begun)

    async def _aboard(self, connection: Connection, serial: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
        from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

        key = X25519PrivateKey.generate()
        public = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
        me = {"serialNumber": serial, "publicKey": public}
        code = await self._post(connection, 201, "provisioning/codes", me)
        claim = {"provisioningCode": code["provisioningCode"], "name": serial}
        await self._post(connection, 201, "claims", claim, f"Bearer {next(self._tokens)}")
        sealed = (await self._post(connection, 200, "provisioning/poll", me))["sealed"]
        suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
        plain = suite.decrypt(base64.urlsafe_b64decode(sealed + "=="), key, b"gangway hand-over 1")
        await self._connect(json.loads(plain))

    async def _post(
        self, connection: Connection, status: int, path: str, body: dict[str, Any], authorization: str = ""
    ) -> Any:
        got, answer = await connection.ask("POST", f"/api/v1/{path}", body, authorization)
        if got != status:
            raise SystemExit(f"{path} answered {got}: {answer.decode()}")
        return json.loads(answer)

    async def _connect(self, given: dict[str, str]) -> None:
        from websockets.asyncio.client import connect

        basic = base64.b64encode(f"{given['deviceId']}:{given['deviceSecret']}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        async with connect(given["hubUrl"], additional_headers=headers, compression=None, proxy=None) as socket:
            await socket.send('{"type":"hello","protocol":1}')
            if json.loads(await socket.recv())["type"] != "welcome":
                raise SystemExit("The hub did not say welcome.")


async def _bare(port: int) -> float:
    """Requests a second when nothing is done for them: what the server and this client allow."""
    counter = itertools.count()

    async def work() -> None:
        connection = Connection(port)
        while next(counter) < DEVICES * 2:
            await connection.ask("GET", "/healthz")

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return DEVICES * 2 / (time.perf_counter() - started)


def main() -> None:
    with ExitStack() as running:
        environment = running.enter_context(stores())
        manage(environment, "migrate", "--verbosity=0")
        tokens = manage(environment, "shell", "--verbosity=0", "-c", _PEOPLE % TECHNICIANS).split()
        port = running.enter_context(
            portal_on_uvicorn(environment, processes=2, ENROLMENTS_PER_MINUTE="1000000", GUESS_HIT_CHANCE="0.1")
        )
        bare = asyncio.run(_bare(port))
        fleet = Fleet(port, tokens)
        seconds = asyncio.run(fleet.run())
    rate = DEVICES / seconds
    waits = sorted(fleet.waits)
    p99 = 1000 * waits[int(len(waits) * 0.99)]
    print(f"{rate:.0f} devices/s, p99 {p99:.0f} ms; bare requests {bare:,.0f}/s; cores {len(os.sched_getaffinity(0))}")
    result = {
        "name": "provisioning",
        "value": round(rate),
        "unit": "devices/s",
        "against": "bare requests a second of the same server",
        "ratio": round(rate / bare, 3),
        "goal": ">= 100 devices/s on one node",
        "holds": rate >= 100,
        "p99_ms": round(p99),
    }
    print(json.dumps(result))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
