"""Held polls: an ASGI application in front of Django that keeps a `Prefer: wait` request until something changes.

While it waits, a poll costs a dictionary entry: no thread, no query, no timer of its own but the deadline. The answer
always comes
from the view. A hint (devices.hints) wakes the poll; a lost hint costs at most the time the device asked to wait.
"""

import asyncio
import logging
import re
import time
import uuid
from dataclasses import dataclass, field

from django.conf import settings
from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.request import Request

from devices.hints import ENROLMENTS_GROUP, channel_layer
from portal.lib.asgi import AsgiApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

POLL_PATH = "/api/v1/provisioning/poll"
_BODY_LIMIT = 16 * 1024
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,5})\"?(?:$|[,;\s])", re.IGNORECASE)
_SCOPE_KEY = "gangway.held_poll"


@dataclass(slots=True)
class HeldPoll:
    """What view and lane say to each other about one request: it is held; which enrolment it waits for."""

    is_repeated: bool = False
    enrolment_id: uuid.UUID | None = None


def held_poll(request: Request | HttpRequest) -> HeldPoll | None:
    """The request's HeldPoll, or None when it is not held (no preference, or a server without the lane)."""
    scope: Scope = getattr(request, "scope", None) or {}
    return scope.get(_SCOPE_KEY)


def wait_preference(header: str) -> int:
    """Seconds a Prefer header (RFC 7240 section 4.3) asks to wait, at most what is allowed; 0 without one."""
    match = _WAIT.search(header)
    return min(int(match[1]), settings.POLL_WAIT_MAXIMUM) if match else 0


class HeldPolls:
    """ASGI middleware around Django."""

    def __init__(self, inner: AsgiApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait = _wait_of(scope)
        if not wait:
            await self._inner(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            return
        await self._hold(scope, body, receive, send, wait)

    async def _hold(self, scope: Scope, body: list[Message], receive: Receive, send: Send, wait: int) -> None:
        deadline = time.monotonic() + wait
        try:
            changes = await get_changes()
        except (RedisError, OSError):
            # Without hints there is nothing to wait for: the poll is answered as one without a preference.
            logger.warning("polls-not-held", exc_info=True)
            await self._inner(scope, _replayed(body, receive), send)
            return
        held = HeldPoll()
        while True:
            # Watching begins before the look-up: a change in between is not missed.
            with changes.watch() as watch:
                answer = await self._ask({**scope, _SCOPE_KEY: held}, body, receive)
                remaining = deadline - time.monotonic()
                if answer.status != 202 or held.enrolment_id is None or remaining <= 0:
                    break
                watch.bind(held.enrolment_id)
                if not await _wait_for(watch, receive, remaining):
                    # The device hung up: nothing may be handed out to nobody.
                    return
            held.is_repeated = True
        await answer.replay(send, wait)

    async def _ask(self, scope: Scope, body: list[Message], receive: Receive) -> "Answer":
        answer = Answer()
        await self._inner(scope, _replayed(body, receive), answer.collect)
        return answer


@dataclass(slots=True)
class Answer:
    """A response that was collected instead of sent."""

    messages: list[Message] = field(default_factory=list)

    async def collect(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"]) if self.messages else 0

    async def replay(self, send: Send, wait: int) -> None:
        for message in self.messages:
            if message["type"] == "http.response.start":
                applied = (b"preference-applied", f"wait={wait}".encode())
                message = {**message, "headers": [*message.get("headers", []), applied]}
            await send(message)


class Watch:
    """One held poll's interest: in every enrolment until it is bound, then in one."""

    def __init__(self, changes: "Changes") -> None:
        self._changes = changes
        self._seen: set[str] = set()
        self._bound: str | None = None
        self.changed = asyncio.Event()

    def bind(self, enrolment_id: uuid.UUID) -> None:
        self._bound = str(enrolment_id)
        self._changes.bind(self, self._bound)
        if self._bound in self._seen:
            self.changed.set()

    def note(self, enrolment_id: str) -> None:
        self._seen.add(enrolment_id)
        if enrolment_id == self._bound:
            self.changed.set()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._changes.drop(self, self._bound)


class Changes:
    """Which enrolments changed, as the channel layer tells this process."""

    def __init__(self) -> None:
        self._unbound: set[Watch] = set()
        self._bound: dict[str, set[Watch]] = {}
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        layer = channel_layer()
        channel = await layer.new_channel("polls")
        await layer.group_add(ENROLMENTS_GROUP, channel)
        self._listener = asyncio.create_task(self._listen(channel))

    def watch(self) -> Watch:
        watch = Watch(self)
        self._unbound.add(watch)
        return watch

    def bind(self, watch: Watch, enrolment_id: str) -> None:
        self._unbound.discard(watch)
        self._bound.setdefault(enrolment_id, set()).add(watch)

    def drop(self, watch: Watch, enrolment_id: str | None) -> None:
        self._unbound.discard(watch)
        watches = self._bound.get(enrolment_id or "", set())
        watches.discard(watch)
        if enrolment_id is not None and not watches:
            self._bound.pop(enrolment_id, None)

    async def _listen(self, channel: str) -> None:
        layer = channel_layer()
        while True:
            enrolment_id = (await layer.receive(channel))["enrolment"]
            for watch in [*self._unbound, *self._bound.get(enrolment_id, ())]:
                watch.note(enrolment_id)


_changes: dict[asyncio.AbstractEventLoop, "asyncio.Task[Changes]"] = {}


async def get_changes() -> Changes:
    """The listener of the running event loop, started by the first held poll."""
    loop = asyncio.get_running_loop()
    for closed in [known for known in _changes if known.is_closed()]:
        del _changes[closed]
    task = _changes.get(loop)
    if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
        task = _changes[loop] = loop.create_task(_start_changes())
    return await asyncio.shield(task)


async def _start_changes() -> Changes:
    changes = Changes()
    await changes.start()
    return changes


def _wait_of(scope: Scope) -> int:
    if scope["type"] != "http" or scope["path"] != POLL_PATH or scope["method"] != "POST":
        return 0
    prefer = b", ".join(value for name, value in scope["headers"] if name == b"prefer")
    return wait_preference(prefer.decode("latin-1"))


async def _read_body(receive: Receive) -> list[Message] | None:
    """The request's messages, or None when the client hung up. What is too long is left to the view to refuse."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        messages.append(message)
        size += len(message.get("body", b""))
        if not message.get("more_body") or size > _BODY_LIMIT:
            return messages


def _replayed(body: list[Message], receive: Receive) -> Receive:
    """A `receive` that gives again what was read, then what comes."""
    messages = iter(body)

    async def replayed() -> Message:
        message = next(messages, None)
        return message if message is not None else await receive()

    return replayed


async def _wait_for(watch: Watch, receive: Receive, seconds: float) -> bool:
    """Wait for a change or the end of the time. False when the client hung up."""
    change = asyncio.ensure_future(watch.changed.wait())
    hang_up = asyncio.ensure_future(receive())
    try:
        done, _ = await asyncio.wait({change, hang_up}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return hang_up not in done
    finally:
        change.cancel()
        hang_up.cancel()
