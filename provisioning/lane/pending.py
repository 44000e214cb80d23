"""The answer "still pending", from look-ups that all polls waiting in this process share."""

import asyncio
import logging
import re
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from devices.errors import InvalidRequest
from devices.serials import check_serial_number, serial_key
from portal.lib.aio import run_db
from portal.lib.asgi import AsgiApp, Message, Receive, Scope, Send
from portal.lib.batch import Batcher
from portal.lib.network import client_address
from portal.lib.request_id import begin_request
from portal.lib.strict_json import StrictJsonError, parse
from provisioning.lane import pace
from provisioning.lane.requests import BODY_LIMIT, SCOPE_KEY, PollContext, is_poll, read_body, replay_body
from provisioning.pollers import Poller
from provisioning.store import PendingRow, PollKey, find_pending, note_polls

logger = logging.getLogger(__name__)

_BATCH = 512
_TEXT = re.compile(r"[A-Za-z0-9_-]{0,128}")
_JSON_TYPE = re.compile(rb"\s*application/json\s*(?:;|$)", re.IGNORECASE)


class PendingLane:
    """ASGI middleware. A poll that is anything else than pending goes on to the view untouched."""

    def __init__(self, inner: AsgiApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_poll(scope):
            await self._inner(scope, receive, send)
            return
        messages = await read_body(receive)
        if messages is None:
            return
        context = scope.setdefault(SCOPE_KEY, PollContext())
        headers = dict(scope["headers"])
        key = _read_key(scope, headers, messages)
        enrolment_id = await self._find(key, context) if key is not None else None
        if enrolment_id is None:
            await self._inner(scope, replay_body(messages, receive), send)
            return
        context.enrolment_id = enrolment_id
        await _answer_pending(context, begin_request(headers.get(b"x-request-id", b"").decode("latin-1")), send)

    async def _find(self, key: PollKey, context: PollContext) -> uuid.UUID | None:
        if not context.is_repeated:
            poller = pace.poller_key(key.serial_key, key.poller_digest, key.network)
            if not pace.polls.allows(poller, settings.POLL_MINIMUM_INTERVAL):
                return None
            context.is_paced = True
        try:
            row = await _loop_work().find(key)
        except DatabaseError:
            # The view says what there is to say.
            return None
        return uuid.UUID(row.public_id) if row is not None else None


class _LoopWork:
    """What all polls of an event loop share: the look-ups, and the notes that devices still poll."""

    def __init__(self) -> None:
        self._look_ups: Batcher[PollKey, PendingRow | None] = Batcher(_find_all, limit=_BATCH, flights=2)
        self._due: set[int] = set()
        self._noting: asyncio.Task[None] | None = None

    async def find(self, key: PollKey) -> PendingRow | None:
        row = await self._look_ups.submit(key)
        if row is not None and row.is_due:
            self._due.add(row.id)
            if self._noting is None or self._noting.done():
                self._noting = asyncio.create_task(self._note())
        return row

    async def _note(self) -> None:
        """After the answers: nobody waits for it, and a note that is lost is made by the next poll."""
        while self._due:
            due, self._due = self._due, set()
            try:
                await run_db(note_polls, ids=list(due))
            except DatabaseError:
                logger.warning("polls-not-noted", exc_info=True)
                return


async def _find_all(keys: Sequence[PollKey]) -> Sequence[PendingRow | None]:
    return await run_db(find_pending, keys=keys)


_work: dict[asyncio.AbstractEventLoop, _LoopWork] = {}


def _loop_work() -> _LoopWork:
    """The work of the running event loop."""
    loop = asyncio.get_running_loop()
    work = _work.get(loop)
    if work is None:
        for closed in [known for known in _work if known.is_closed()]:
            del _work[closed]
        work = _work[loop] = _LoopWork()
    return work


def _read_key(scope: Scope, headers: dict[bytes, bytes], messages: list[Message]) -> PollKey | None:
    """What the poll is looked up by, or None when the view has to look at it."""
    if b"authorization" in headers:
        # With a provisioning token the serial number is the token's tenant's, and means another enrolment.
        return None
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and not _JSON_TYPE.match(content_type):
        return None
    body = messages[0].get("body", b"") if len(messages) == 1 else b"".join(m.get("body", b"") for m in messages)
    if len(body) > BODY_LIMIT:
        return None
    try:
        document = parse(body)
    except StrictJsonError:
        return None
    return _key_of(document, scope, headers) if isinstance(document, dict) else None


def _key_of(document: dict[str, Any], scope: Scope, headers: dict[bytes, bytes]) -> PollKey | None:
    serial, token, key = (document.get(name, "") for name in ("serialNumber", "pollToken", "publicKey"))
    if "provisioningCode" in document or not (type(serial) is type(token) is type(key) is str):
        return None
    if not _TEXT.fullmatch(token) or not _TEXT.fullmatch(key):
        return None
    try:
        serial = check_serial_number(serial)
    except InvalidRequest:
        return None
    return PollKey(serial_key(serial), Poller(token, key).digest if token or key else "", _network(scope, headers))


def _network(scope: Scope, headers: dict[bytes, bytes]) -> str | None:
    peer = scope["client"][0] if scope.get("client") else None
    trusted = settings.TRUSTED_PROXIES
    forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1") if trusted else ""
    return _client_address(peer, forwarded, trusted)


# Most polls come from few networks, again and again.
_client_address = lru_cache(maxsize=4096)(client_address)


async def _answer_pending(context: PollContext, request_id: str, send: Send) -> None:
    poll_after = str(1 if context.is_held else settings.POLL_INTERVAL).encode()
    body = b'{"status":"pending","pollAfter":' + poll_after + b"}"
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", poll_after),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})
