"""The way to the portal: certificates and proxies, for HTTP and the WebSocket alike."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from gangway_device.errors import ConfigurationError
from gangway_device.tunnel import TunnelTransport

_VARIABLES: Mapping[str, str] = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


class Network:
    """How this device reaches the portal. One object may serve many devices: it keeps the TLS context, no connection.

    `proxy` is `http://[user:password@]host:port` of a proxy that speaks CONNECT; without it HTTPS_PROXY, HTTP_PROXY
    and NO_PROXY decide. `ca_file` names a file of certificates (PEM) to trust instead of the system's.
    Raises ConfigurationError.
    """

    def __init__(self, *, proxy: str | None = None, ca_file: str | None = None) -> None:
        self._proxy = proxy
        if proxy is not None:
            _parse_proxy(proxy, "")
        try:
            self._context = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise ConfigurationError(f"{ca_file} holds no usable certificates: {error.strerror or error}") from error

    def http_client(self, url: str, identity: str) -> httpx.AsyncClient:
        """A client for the portal at `url`; `identity` is what a proxy may know the device by."""
        proxy = self._proxy_of(url, identity)
        transport: httpx.AsyncBaseTransport
        if proxy is None:
            transport = httpx.AsyncHTTPTransport(verify=self._context, trust_env=False)
        else:
            transport = TunnelTransport(proxy.host, proxy.port, proxy.authorization(), self._context)
        return httpx.AsyncClient(transport=transport, base_url=url, trust_env=False)

    def websocket_proxy(self, url: str, identity: str) -> str | None:
        """The proxy's address for the `websockets` library, None to connect directly."""
        proxy = self._proxy_of(url, identity)
        return proxy.address() if proxy else None

    def websocket_tls(self, url: str) -> ssl.SSLContext | None:
        """The TLS context for a `wss` address, None for `ws`."""
        return self._context if urlsplit(url).scheme == "wss" else None

    def _proxy_of(self, url: str, identity: str) -> _Proxy | None:
        address = self._proxy
        if address is None:
            parts = urlsplit(url)
            if proxy_bypass(parts.hostname or ""):
                return None
            address = getproxies().get(_VARIABLES[parts.scheme])
        return _parse_proxy(address, identity) if address else None


class _Proxy:
    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        self.host = host
        self.port = port
        self._user = user
        self._password = password

    def authorization(self) -> bytes:
        pair = f"{self._user}:{self._password}".encode()
        return b"Proxy-Authorization: Basic " + base64.b64encode(pair)

    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{quote(self._user, safe='')}:{quote(self._password, safe='')}@{host}:{self.port}"


def _parse_proxy(address: str, identity: str) -> _Proxy:
    # The address may hold a password, so no message quotes it.
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or 80
    except ValueError as error:
        raise ConfigurationError("the proxy's address cannot be read") from error
    if parts.scheme != "http" or not host:
        raise ConfigurationError("a proxy's address is http://[user:password@]host:port")
    # A user name has no colon (RFC 7617, section 2), a serial number may: it is sent as %3A.
    user = unquote(parts.username or "") or identity
    return _Proxy(host, port, user.replace(":", "%3A"), unquote(parts.password or ""))


def portal_address(url: str) -> str:
    """`url` without a slash at its end. Raises ConfigurationError unless it is an http(s) address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(f"{url!r} is not the address of a portal; it should look like https://portal.example")
    return url.rstrip("/")
