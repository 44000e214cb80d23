"""HTTP Basic on the WebSocket upgrade (RFC 7617): the device is known, or the connection refused, before there is a
socket.
"""

import logging

from django.conf import settings
from django.db import DatabaseError

from devices.basic import read_basic
from devices.errors import DomainError, Unavailable
from devices.services.credentials import authenticate_device
from portal.lib.aio import run_db
from portal.lib.asgi import AsgiApp, Receive, Scope, Send
from portal.lib.network import client_address
from portal.lib.request_id import begin_request

logger = logging.getLogger(__name__)


class DeviceAuthentication:
    """ASGI middleware: puts `device` and `network` into a copy of the scope, or refuses the upgrade."""

    def __init__(self, inner: AsgiApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin_request()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        peer = scope["client"][0] if scope.get("client") else None
        network = client_address(peer, headers.get("x-forwarded-for", ""), settings.TRUSTED_PROXIES)
        try:
            device_id, secret = read_basic(headers.get("authorization", ""))
            device = await run_db(authenticate_device, device_id=device_id, secret=secret, network=network)
        except DomainError as error:
            await refuse(scope, receive, send, error)
            return
        except DatabaseError:
            logger.exception("device-not-authenticated")
            await refuse(scope, receive, send, Unavailable(retry_after=5))
            return
        await self._inner({**scope, "device": device, "network": network}, receive, send)


async def refuse(scope: Scope, receive: Receive, send: Send, error: DomainError) -> None:
    """Answer the upgrade with the error's status; a server that cannot (Daphne) answers 403 by itself."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        if error.status == 503:
            # 403 would look to the device as if its credentials were not valid.
            await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": error.ws_code or 4400})
        return
    headers = [(b"content-length", b"0")]
    if error.status == 401:
        headers.append((b"www-authenticate", b'Basic realm="gangway"'))
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b""})
