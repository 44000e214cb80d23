"""From which network address a request came."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings


def client_address(peer: str | None, forwarded_for: str, trusted_proxies: int) -> str | None:
    """The IP address of the client, or None when it has none (a Unix socket).

    Each trusted proxy appends the address it saw to X-Forwarded-For, so with n of them the n-th from the end was
    written by the outermost one. Whatever stands before it came from the client and is not believed.
    """
    candidate = peer or ""
    if trusted_proxies:
        hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
        if len(hops) >= trusted_proxies:
            candidate = hops[-trusted_proxies]
    try:
        # The zone of a link-local address (RFC 4007) means something on this machine only.
        address = ipaddress.ip_address(candidate.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def request_address(meta: Mapping[str, Any]) -> str | None:
    """The same for a Django request's META."""
    return client_address(meta.get("REMOTE_ADDR"), meta.get("HTTP_X_FORWARDED_FOR", ""), settings.TRUSTED_PROXIES)
