"""HTTP through a CONNECT tunnel (RFC 9110, section 9.3.6), for `http` and `https` alike.

httpx forwards plain `http` requests to a proxy instead of tunnelling them, which a gateway that only speaks CONNECT
refuses. So the tunnel is dug below HTTP: where the connection pool would dial the portal, it dials through the proxy.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable

import httpcore
import httpx

MAX_ANSWER_BYTES = 16 * 1024


class TunnelTransport(httpx.AsyncBaseTransport):
    """A transport whose every connection goes through one CONNECT proxy. Answers are read whole: they are small."""

    def __init__(self, host: str, port: int, authorization: bytes, context: ssl.SSLContext) -> None:
        backend = _TunnelBackend(host, port, authorization)
        self._pool = httpcore.AsyncConnectionPool(ssl_context=context, network_backend=backend)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises httpx.TransportError as httpx's own transport does."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        try:
            response = await self._pool.request(
                request.method,
                url,
                headers=request.headers.raw,
                content=await request.aread(),
                extensions=dict(request.extensions),
            )
        except httpcore.TimeoutException as error:
            raise httpx.ReadTimeout(str(error), request=request) from error
        except httpcore.ProxyError as error:
            raise httpx.ProxyError(str(error), request=request) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise httpx.NetworkError(str(error), request=request) from error
        return httpx.Response(response.status, headers=response.headers, content=response.content)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class _TunnelBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, host: str, port: int, authorization: bytes) -> None:
        self._host = host
        self._port = port
        self._authorization = authorization
        self._dialler = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._dialler.connect_tcp(self._host, self._port, timeout, local_address, socket_options)
        try:
            await self._dig(stream, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", timeout)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def _dig(self, stream: httpcore.AsyncNetworkStream, target: str, timeout: float | None) -> None:
        lines = (f"CONNECT {target} HTTP/1.1".encode(), b"Host: " + target.encode(), self._authorization, b"", b"")
        await stream.write(b"\r\n".join(lines), timeout)
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = await stream.read(4096, timeout)
            answer += part
            if not part or len(answer) > MAX_ANSWER_BYTES:
                raise httpcore.ProxyError("the proxy hung up")
        status = answer.split(b"\r\n", 1)[0].decode("ascii", "replace")
        if not status.startswith(("HTTP/1.1 2", "HTTP/1.0 2")):
            raise httpcore.ProxyError(f"the proxy answered {status[9:]!r}")
