"""The hub of a portal, on a real socket, with faults to order."""

from __future__ import annotations

import asyncio
import base64
import http
import json
from collections import deque
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from fake_portal import DEVICE_ID, SECRET
from gangway_device import apply_patch


class FakeHub:
    def __init__(self) -> None:
        self.generation = 1
        self.desired: dict = {"interval": 5}
        self.version = 3
        self.reported: dict = {}
        self.reported_version = 0
        self.heartbeat: float = 30
        self.frames: list[dict] = []
        self.welcomes: list[dict] = []
        self.authorizations: list[str] = []
        self.upgrade_answers: deque[tuple[int, dict]] = deque()
        self.close_instead_of_welcome: deque[int] = deque()
        self.drop_after: deque[str] = deque()
        """Frame types after which, once, the connection is lost without an answer (the work is done all the same)."""
        self.silent_after_hello = False
        self.errors: dict[str, deque[dict]] = {}
        self.connection: ServerConnection | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/hub/v1"

    async def __aenter__(self) -> FakeHub:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self._port, process_request=self._authenticate, close_timeout=1
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close(close_connections=True)
        await self._server.wait_closed()

    def received(self, kind: str) -> list[dict]:
        return [frame for frame in self.frames if frame["type"] == kind]

    async def send(self, frame: dict | str) -> None:
        await self.connection.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def wish(self, patch: dict) -> None:
        self.desired, start = apply_patch(self.desired, patch), self.version
        self.version += 1
        body = {"generation": self.generation, "from": start, "version": self.version, "patch": patch}
        await self.send({"type": "desired", **body})

    async def _authenticate(self, connection: ServerConnection, request):
        self.authorizations.append(request.headers.get("Authorization"))
        if self.upgrade_answers:
            status, headers = self.upgrade_answers.popleft()
            response = connection.respond(http.HTTPStatus(status), "no")
            response.headers.update(headers)
            return response
        kind, _, pair = (self.authorizations[-1] or "").partition(" ")
        device_id, _, secret = base64.b64decode(pair).decode().partition(":")
        if kind != "Basic" or secret != SECRET or len(device_id) != len(DEVICE_ID):
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        if self.close_instead_of_welcome:
            await connection.close(self.close_instead_of_welcome.popleft())
            return
        with suppress(ConnectionClosed):
            async for message in connection:
                frame = json.loads(message)
                self.frames.append(frame)
                if self.silent_after_hello and frame["type"] != "hello":
                    continue
                answer = self._answer(frame)
                if frame["type"] == "hello":
                    self.connection = connection
                    self.welcomes.append(answer)
                if self.drop_after and self.drop_after[0] == frame["type"]:
                    self.drop_after.popleft()
                    connection.transport.abort()
                    return
                await connection.send(json.dumps({**answer, **({"id": frame["id"]} if "id" in frame else {})}))

    def _answer(self, frame: dict) -> dict:
        kind = frame["type"]
        if self.errors.get(kind):
            return {"type": "error", "title": "No", "detail": "because", **self.errors[kind].popleft()}
        if kind == "hello":
            return self._welcome(frame)
        if kind == "report":
            before, self.reported = self.reported, apply_patch(self.reported, frame["patch"])
            self.reported_version += before != self.reported
            return {"type": "reported", "version": self.reported_version}
        if kind == "getTwin":
            desired = {**self.desired, "$version": self.version}
            reported = {**self.reported, "$version": self.reported_version}
            return {"type": "twin", "generation": self.generation, "desired": desired, "reported": reported}
        if kind in ("applied", "failed"):
            return {"type": "acknowledged", "version": frame["version"]}
        return {"type": "pong", "time": "2026-11-20T12:00:00Z"}

    def _welcome(self, hello: dict) -> dict:
        welcome = {
            "type": "welcome",
            "sessionId": "s",
            "deviceId": "d",
            "tenantId": "t",
            "generation": self.generation,
            "desiredVersion": self.version,
            "reportedVersion": self.reported_version,
            "heartbeat": self.heartbeat,
            "time": "2026-11-20T12:00:00Z",
        }
        if (hello.get("generation"), hello.get("desiredVersion")) != (self.generation, self.version):
            welcome["desired"] = self.desired
        return welcome


async def eventually(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)
