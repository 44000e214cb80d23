"""The provisioning routes of a portal, on a real socket, with faults to order."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

SECRET = "gwd_" + "s3cr3t" * 7
DEVICE_ID = "0b6f3c1e-5a52-4c2e-9d52-4d1a2b7d3c11"
SUITE = "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM"
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content"}
CUT = "cut"
"""A fault: the connection ends in the middle of the answer."""


@dataclass
class Enrolment:
    """`answer` holds the bytes of the hand-over from the first one to the confirmation."""

    serial: str
    binding: tuple[str | None, str | None]
    code: str | None = None
    match_number: str | None = None
    unlocked: asyncio.Event = field(default_factory=asyncio.Event)
    made: int = 0
    answer: bytes | None = None
    confirmed: bool = False

    @property
    def device_id(self) -> str:
        return DEVICE_ID if self.serial == "A1" else str(uuid.uuid5(uuid.NAMESPACE_OID, self.serial))


@dataclass
class Recorded:
    path: str
    headers: dict[str, str]
    body: dict


class FakePortal:
    def __init__(self, hub_url: str = "ws://127.0.0.1:9/hub/v1") -> None:
        self.hub_url = hub_url
        self.expires_in: float = 300
        self.poll_after: float = 0.01
        self.let_everybody_in = False
        self.says_length = True
        """Whether hand-overs carry Content-Length; without, only the end of the connection ends them."""
        self.enrolments: dict[str, Enrolment] = {}
        self.requests: list[Recorded] = []
        # What to answer instead, one request after another; None: nothing else.
        self.faults: dict[str, deque] = {route: deque() for route in ("codes", "poll", "claims", "confirm")}
        self.cuts: dict[str, list[int]] = {}
        """After how many bytes, head included, the next hand-overs to a serial number break off."""
        self.issued: dict[str, Enrolment] = {}
        """The enrolments by the device id and secret that were made for them."""
        self.handed_over_bytes = 0
        """How long the last hand-over was, head included."""
        self.delivered: list[bytes] = []
        """Every hand-over as it was sent, whole or not."""
        self.held = 0
        self._codes = 0
        self._port = 0
        self._tasks: set[asyncio.Task] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> FakePortal:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def made(self, path: str) -> list[Recorded]:
        return [request for request in self.requests if request.path.endswith(path)]

    def unlock(self, serial: str) -> None:
        self.enrolments[serial.upper()].unlocked.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            while True:
                recorded = await self._read(reader)
                self.requests.append(recorded)
                status, headers, body = await self._answer(recorded, reader)
                self._write(writer, status, headers, body, self._cut(recorded, status))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> Recorded:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Recorded(head[0].split()[1], headers, json.loads(body) if body else {})

    def _cut(self, request: Recorded, status: int | str) -> int | None:
        cuts = self.cuts.get(request.body.get("serialNumber")) if status == 200 else None
        return cuts.pop(0) if cuts else None

    def _write(
        self, writer: asyncio.StreamWriter, status: int | str, headers: dict, body: dict | bytes, cut: int | None
    ) -> None:
        if status == CUT:
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status": ')
            raise ConnectionError
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        framed = self.says_length or status != 200
        framing = f"Content-Length: {len(content)}" if framed else "Connection: close"
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'No')}", framing]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        message = "\r\n".join([*lines, "", ""]).encode() + content
        if status == 200:
            self.handed_over_bytes = len(message)
        writer.write(message[:cut])
        if cut is not None or not framed:
            raise ConnectionError

    async def _answer(self, request: Recorded, reader: asyncio.StreamReader) -> tuple:
        route = request.path.rsplit("/", 1)[1]
        fault = self.faults[route].popleft() if self.faults[route] else None
        if fault is not None:
            return fault
        if route == "poll":
            return await self._poll(request, reader)
        return {"codes": self._code, "claims": self._claim, "confirm": self._confirm}[route](request)

    def _enrolment(self, body: dict) -> Enrolment:
        serial = body["serialNumber"].upper()
        enrolment = self.enrolments.setdefault(serial, Enrolment(serial, _binding(body)))
        if self.let_everybody_in:
            enrolment.unlocked.set()
        return enrolment

    def _code(self, request: Recorded) -> tuple:
        if self._enrolment(request.body).unlocked.is_set():
            return problem(409, "invalid-transition")
        self._codes += 1
        code = "K7M2" + "23456789ABCDEFGHJKMNPQRSTUVWXYZ"[self._codes % 31] + "X"
        self._enrolment(request.body).code = code
        uri = f"{self.url}/claim"
        body = {"provisioningCode": code, "expiresIn": self.expires_in, "expiresAt": "2026-11-20T12:05:00Z"}
        return 201, {}, {**body, "verificationUri": uri, "verificationUriComplete": f"{uri}?code={code}"}

    async def _poll(self, request: Recorded, reader: asyncio.StreamReader) -> tuple:
        enrolment = self._enrolment(request.body)
        if enrolment.binding != _binding(request.body):
            return problem(403, "wrong-poller")
        if enrolment.confirmed:
            return problem(410, "already-provisioned")
        wait = int(request.headers.get("prefer", "wait=0").removeprefix("wait="))
        self.held += 1
        try:
            async with asyncio.timeout(wait):
                while not (enrolment.unlocked.is_set() or enrolment.match_number):
                    # Nothing is handed out to a device that has hung up.
                    if reader.at_eof():
                        raise ConnectionError
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pass
        finally:
            self.held -= 1
        if not enrolment.unlocked.is_set():
            more = {"matchNumber": enrolment.match_number} if enrolment.match_number else {}
            body = {"status": "pending", "pollAfter": self.poll_after, **more}
            return 202, {"Preference-Applied": f"wait={wait}"}, body
        if enrolment.answer is None:
            enrolment.answer = self._make_answer(enrolment)
        self.delivered.append(enrolment.answer)
        return 200, {}, enrolment.answer

    def _make_answer(self, enrolment: Enrolment) -> bytes:
        enrolment.made += 1
        secret = SECRET if enrolment.made == 1 else f"{SECRET}{enrolment.made}"
        self.issued[f"{enrolment.device_id}:{secret}"] = enrolment
        document = hand_over(self.hub_url, self.url, device_id=enrolment.device_id, secret=secret)
        public_key = enrolment.binding[0]
        return json.dumps(document if public_key is None else seal(public_key, document)).encode()

    def _confirm(self, request: Recorded) -> tuple:
        pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        enrolment = self.issued.get(pair)
        if enrolment is None:
            return problem(401, "not-authenticated")
        enrolment.confirmed, enrolment.answer = True, None
        return 204, {}, b""

    def _claim(self, request: Recorded) -> tuple:
        if request.headers.get("authorization") != "Bearer gwa_token":
            return problem(401, "not-authenticated")
        for enrolment in self.enrolments.values():
            if enrolment.code == request.body["provisioningCode"]:
                enrolment.unlocked.set()
                return 201, {}, {}
        return problem(404, "unknown-code")


def _binding(body: dict) -> tuple[str | None, str | None]:
    return body.get("publicKey"), body.get("pollToken")


def seal(public_key: str, document: dict, info: bytes = b"gangway hand-over 1") -> dict:
    """What a portal does for the holder of the key."""
    key = X25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(public_key + "="))
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    sealed = base64.urlsafe_b64encode(suite.encrypt(json.dumps(document).encode(), key, info)).decode().rstrip("=")
    return {"status": "provisioned", "suite": SUITE, "sealed": sealed, "confirmBy": "2026-11-20T12:20:00.000Z"}


def problem(status: int, code: str, retry_after: str | None = None) -> tuple:
    headers = {"Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return status, headers, {"title": code, "status": status, "detail": f"because {code}", "code": code}


def hand_over(hub_url: str, portal_url: str, *, device_id: str = DEVICE_ID, secret: str = SECRET) -> dict:
    return {
        "status": "provisioned",
        "deviceId": device_id,
        "deviceSecret": secret,
        "tenantId": "6b1d5b0c-8f5e-4a53-a3f5-30b9f2a3a8de",
        "dataResidency": "au",
        "hubUrl": hub_url,
        "portalUrl": portal_url,
    }
