"""Frames that want an answer: sent in order, one at a time, and again after a reconnect until they have it."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gangway_device.errors import FrameRefused
from gangway_device.frames import JsonObject, seconds, serialise

Send = Callable[[str], Awaitable[None]]


class HubSilent(Exception):
    """No answer came in time: the connection is dead, though nobody said so."""


@dataclass(frozen=True, eq=False)
class Request:
    """One frame. `answer` ends with the hub's answer or FrameRefused; cancelling it withdraws the frame."""

    id: str
    type: str
    text: str
    answer: asyncio.Future[JsonObject]


class Outbox:
    """The queue. It outlives connections: `pump` sends for one connection, and what had no answer stays at the head.

    One frame is under way at a time. A hub that answers "later" to one report could otherwise take the next one first,
    and after a lost connection nobody would know how far it had come.
    """

    def __init__(self) -> None:
        self._queue: deque[Request] = deque()
        self._ids = itertools.count(1)
        self._arrived = asyncio.Event()
        self._under_way: Request | None = None
        self._attempt: asyncio.Future[JsonObject] | None = None

    def put(self, frame: JsonObject) -> Request:
        """Append `frame`, with an `id`. Raises FrameError if it must not be sent."""
        number = str(next(self._ids))
        text = serialise({**frame, "id": number})
        answer: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        # Nobody need wait for an answer, and asyncio must not complain about one that nobody looked at.
        answer.add_done_callback(lambda future: future.cancelled() or future.exception())
        request = Request(number, frame["type"], text, answer)
        self._queue.append(request)
        self._arrived.set()
        return request

    def put_once(self, frame: JsonObject) -> None:
        """Append `frame` unless one of its type waits already. One that is under way does not count: it may be late."""
        waiting = (request for request in self._queue if request is not self._under_way)
        if not any(request.type == frame["type"] and not request.answer.done() for request in waiting):
            self.put(frame)

    def withdraw(self, *types: str) -> None:
        """Drop the frames of these types."""
        for request in self._queue:
            if request.type in types:
                request.answer.cancel()

    def fail(self, error: Exception) -> None:
        """Let every frame that waits end with `error`."""
        while self._queue:
            request = self._queue.popleft()
            if not request.answer.done():
                request.answer.set_exception(error)

    def resolve(self, frame: JsonObject) -> None:
        """Take an answer from the hub. One that nobody waits for any more is ignored."""
        request, attempt = self._under_way, self._attempt
        if request and attempt and not attempt.done() and frame.get("id") == request.id:
            attempt.set_result(frame)

    async def pump(self, send: Send, idle: float, answer_timeout: float) -> None:
        """Send what is queued, for ever; a `ping` when nothing was sent for `idle` seconds.

        Raises HubSilent when an answer takes more than `answer_timeout` seconds, and whatever `send` raises.
        """
        while True:
            try:
                async with asyncio.timeout(idle):
                    request = await self._head()
            except TimeoutError:
                self.put({"type": "ping"})
                continue
            answer = await self._exchange(request, send, answer_timeout)
            later = seconds(answer, "retryAfter") if answer["type"] == "error" else None
            if later is not None:
                await asyncio.sleep(later)
            elif not request.answer.done():
                _settle(request.answer, answer)

    async def _head(self) -> Request:
        while True:
            while self._queue and self._queue[0].answer.done():
                self._queue.popleft()
            if self._queue:
                return self._queue[0]
            self._arrived.clear()
            await self._arrived.wait()

    async def _exchange(self, request: Request, send: Send, answer_timeout: float) -> JsonObject:
        self._under_way, self._attempt = request, asyncio.get_running_loop().create_future()
        try:
            await send(request.text)
            async with asyncio.timeout(answer_timeout):
                return await self._attempt
        except TimeoutError as error:
            raise HubSilent(f"no answer to {request.type}") from error
        finally:
            self._under_way = self._attempt = None


def _settle(future: asyncio.Future[JsonObject], answer: JsonObject) -> None:
    if answer["type"] != "error":
        future.set_result(answer)
        return
    pointer = answer.get("pointer")
    detail = answer.get("detail") or answer.get("title") or "no reason given"
    code = str(answer.get("code"))
    future.set_exception(FrameRefused(code, str(detail), pointer if isinstance(pointer, str) else None))
