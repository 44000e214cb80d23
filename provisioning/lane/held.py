"""Held polls: ASGI middleware that keeps a `Prefer: wait` request until something changes.

While it waits, a poll costs a dictionary entry: no thread, no query, no timer of its own but the deadline. The answer
always comes
from the view. A hint (devices.hints) wakes the poll; a lost hint costs at most the time the device asked to wait.
"""

import asyncio
import logging
import re
import time
from dataclasses import dataclass, field

from django.conf import settings
from redis.exceptions import RedisError

from portal.lib.asgi import AsgiApp, Message, Receive, Scope, Send
from provisioning.lane.changes import Watch, get_changes
from provisioning.lane.requests import SCOPE_KEY, PollContext, is_poll, read_body, replay_body

logger = logging.getLogger(__name__)

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,5})\"?(?:$|[,;\s])", re.IGNORECASE)


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
        body = await read_body(receive)
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
            await self._inner(scope, replay_body(body, receive), send)
            return
        context = PollContext(is_held=True)
        while True:
            # Watching begins before the look-up: a change in between is not missed.
            with changes.watch() as watch:
                answer = await self._ask({**scope, SCOPE_KEY: context}, body, receive)
                remaining = deadline - time.monotonic()
                if answer.status != 202 or context.enrolment_id is None or context.is_news or remaining <= 0:
                    break
                watch.bind(context.enrolment_id)
                if not await _wait_for(watch, receive, remaining):
                    # The device hung up: nothing may be handed out to nobody.
                    return
            context.is_repeated = True
        await answer.replay(send, wait)

    async def _ask(self, scope: Scope, body: list[Message], receive: Receive) -> "Answer":
        answer = Answer()
        await self._inner(scope, replay_body(body, receive), answer.collect)
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


def _wait_of(scope: Scope) -> int:
    if not is_poll(scope):
        return 0
    prefer = [value for name, value in scope["headers"] if name == b"prefer"]
    return wait_preference(b", ".join(prefer).decode("latin-1")) if prefer else 0


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
