"""The provisioning routes of a portal, on a real socket, with faults to order."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

SECRET = "gwd_" + "s3cr3t" * 7
REASONS = {200: "OK", 201: "Created", 202: "Accepted"}
CUT = "cut"
"""A fault: the connection ends in the middle of the answer."""


@dataclass
class Enrolment:
    poll_token: str | None
    code: str | None = None
    delivered: bool = False
    unlocked: asyncio.Event = field(default_factory=asyncio.Event)


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
        self.enrolments: dict[str, Enrolment] = {}
        self.requests: list[Recorded] = []
        self.faults: dict[str, deque] = {"codes": deque(), "poll": deque(), "claims": deque()}
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
                self._write(writer, status, headers, body)
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
        return Recorded(head[0].split()[1], headers, json.loads(body))

    def _write(self, writer: asyncio.StreamWriter, status: int | str, headers: dict, body: dict | bytes) -> None:
        if status == CUT:
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status": ')
            raise ConnectionError
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'No')}", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)

    async def _answer(self, request: Recorded, reader: asyncio.StreamReader) -> tuple:
        route = request.path.rsplit("/", 1)[1]
        if self.faults[route]:
            return self.faults[route].popleft()
        if route == "poll":
            return await self._poll(request, reader)
        return {"codes": self._code, "claims": self._claim}[route](request)

    def _enrolment(self, body: dict) -> Enrolment:
        return self.enrolments.setdefault(body["serialNumber"].upper(), Enrolment(body.get("pollToken")))

    def _code(self, request: Recorded) -> tuple:
        self._codes += 1
        code = "K7M2" + "23456789ABCDEFGHJKMNPQRSTUVWXYZ"[self._codes % 31] + "X"
        self._enrolment(request.body).code = code
        uri = f"{self.url}/claim"
        body = {"provisioningCode": code, "expiresIn": self.expires_in, "expiresAt": "2026-11-20T12:05:00Z"}
        return 201, {}, {**body, "verificationUri": uri, "verificationUriComplete": f"{uri}?code={code}"}

    async def _poll(self, request: Recorded, reader: asyncio.StreamReader) -> tuple:
        enrolment = self._enrolment(request.body)
        if enrolment.poll_token != request.body.get("pollToken"):
            return problem(403, "wrong-poll-token")
        if enrolment.delivered:
            return problem(410, "already-provisioned")
        wait = int(request.headers.get("prefer", "wait=0").removeprefix("wait="))
        self.held += 1
        try:
            async with asyncio.timeout(wait):
                while not enrolment.unlocked.is_set():
                    # Nothing is handed out to a device that has hung up.
                    if reader.at_eof():
                        raise ConnectionError
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pass
        finally:
            self.held -= 1
        if not enrolment.unlocked.is_set():
            return 202, {"Preference-Applied": f"wait={wait}"}, {"status": "pending", "pollAfter": self.poll_after}
        enrolment.delivered = True
        return 200, {}, hand_over(self.hub_url, self.url)

    def _claim(self, request: Recorded) -> tuple:
        if request.headers.get("authorization") != "Bearer gwa_token":
            return problem(401, "not-authenticated")
        for enrolment in self.enrolments.values():
            if enrolment.code == request.body["provisioningCode"]:
                enrolment.unlocked.set()
                return 201, {}, {}
        return problem(404, "unknown-code")


def problem(status: int, code: str, retry_after: str | None = None) -> tuple:
    headers = {"Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return status, headers, {"title": code, "status": status, "detail": f"because {code}", "code": code}


def hand_over(hub_url: str, portal_url: str) -> dict:
    return {
        "status": "provisioned",
        "deviceId": "0b6f3c1e-5a52-4c2e-9d52-4d1a2b7d3c11",
        "deviceSecret": SECRET,
        "tenantId": "6b1d5b0c-8f5e-4a53-a3f5-30b9f2a3a8de",
        "dataResidency": "au",
        "hubUrl": hub_url,
        "portalUrl": portal_url,
    }
