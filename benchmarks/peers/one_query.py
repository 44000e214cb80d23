"""The least that one asyncpg query a request allows: a bare ASGI application that looks a waiting serial number up."""

import json
import os
from typing import Any

import asyncpg

_SQL = (
    "SELECT public_id, last_polled_at FROM provisioning_enrolment "
    "WHERE serial_key = $1 AND poller_digest = '' AND state = 'waiting'"
)
_pool: Any = None


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    global _pool
    if scope["type"] != "http":
        return
    if _pool is None:
        _pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8)
    message = await receive()
    body = message.get("body") or b'{"serialNumber":""}'
    serial = json.loads(body)["serialNumber"].replace("-", "").upper()
    row = await _pool.fetchrow(_SQL, serial)
    answer = b'{"status":"pending","pollAfter":5}' if row else b"{}"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 202 if row else 404, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
