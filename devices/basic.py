"""HTTP Basic (RFC 7617): how devices present their id and secret, on sockets and over HTTP."""

import base64

from devices.errors import Unauthenticated


def read_basic(header: str) -> tuple[str, str]:
    """User name and password of an Authorization header. Raises Unauthenticated."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated("HTTP Basic is needed: device id and device secret.")
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        # Not only of base64 and UTF-8: characters outside ASCII raise it bare.
        raise Unauthenticated("The Authorization header could not be read.") from None
    if not colon:
        raise Unauthenticated("The Authorization header could not be read.")
    return user, password
