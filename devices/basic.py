"""HTTP Basic (RFC 7617): how devices present their id and secret, on sockets and over HTTP."""

import base64
import binascii

from devices.errors import Unauthenticated


def read_basic(header: str) -> tuple[str, str]:
    """User name and password of an Authorization header. Raises Unauthenticated."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated("HTTP Basic is needed: device id and device secret.")
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated("The Authorization header could not be read.") from None
    if not colon:
        raise Unauthenticated("The Authorization header could not be read.")
    return user, password
