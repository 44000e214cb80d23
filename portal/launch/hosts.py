"""The names and addresses under which the portal is reached."""

import socket
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

# Addresses kept for documentation: nothing is sent there, the kernel only says which address it would send from.
_FAR_AWAY: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound to


def is_wildcard(host: str) -> bool:
    """Whether a server bound to this address listens on all of them."""
    return host in _WILDCARDS


def local_address(host: str) -> str:
    """The address by which this machine itself reaches a server bound to `host`."""
    return _WILDCARDS.get(host, host)


def portal_url(host: str, port: int) -> str:
    """The URL to open on this machine."""
    return f"http://{_bracketed(local_address(host))}:{port}"


def allowed_hosts(host: str, public_url: str) -> tuple[str, ...]:
    """The names a browser or a device of this network may use, when nobody said which."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn()]
    if is_wildcard(host):
        names += _own_addresses()
    else:
        names.append(host)
    if public_name := urlsplit(public_url).hostname:
        names.append(public_name)
    return tuple(dict.fromkeys(_bracketed(name.lower()) for name in names if name))


def _own_addresses() -> list[str]:
    found: list[str] = []
    with suppress(OSError):
        found += [str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(socket.gethostname(), None)]
    for family, address in _FAR_AWAY:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            found.append(str(probe.getsockname()[0]))
    return found


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name
