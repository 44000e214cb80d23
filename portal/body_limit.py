"""The longest request body a route takes, enforced before it is buffered."""

import json
import re
from typing import Any

from devices.errors import PayloadTooLarge
from portal.lib.request_id import begin_request

LIMIT = 1024 * 1024
# Lists of serial numbers: portal/api/parsers.py.
_LONGER = re.compile(r"/api/v1/products/[0-9a-f-]{36}/serials/(?:preview|import)")
LONGER_LIMIT = 8 * 1024 * 1024


def limit_of(path: str) -> int:
    """How many bytes a body sent to this path may have."""
    return LONGER_LIMIT if _LONGER.fullmatch(path) else LIMIT


class BodyLimit:
    """ASGI middleware. Counts what comes, because a chunked request announces no length (RFC 9112 section 7.1)."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        limit = limit_of(scope["path"])
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not announced.isdigit() or int(announced) > limit:
            await _refuse(scope, send)
            return
        seen = 0

        async def counting() -> dict[str, Any]:
            nonlocal seen
            message: dict[str, Any] = await receive()
            seen += len(message.get("body", b""))
            # To the application the client has hung up, and its half-read body is dropped.
            return {"type": "http.disconnect"} if seen > limit else message

        await self._inner(scope, counting, send)


async def _refuse(scope: dict[str, Any], send: Any) -> None:
    request_id = begin_request()
    error = PayloadTooLarge(f"A body has at most {limit_of(scope['path'])} bytes.")
    problem = {
        "type": f"/errors/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": scope["path"],
        "code": error.code,
        "requestId": request_id,
    }
    body = json.dumps(problem).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
