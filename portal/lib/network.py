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
        return str(ipaddress.ip_address(candidate))
    except ValueError:
        return None


def request_address(meta: Mapping[str, Any]) -> str | None:
    """The same for a Django request's META."""
    return client_address(meta.get("REMOTE_ADDR"), meta.get("HTTP_X_FORWARDED_FOR", ""), settings.TRUSTED_PROXIES)
