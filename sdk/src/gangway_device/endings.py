"""What the end of a connection means: come back, or stop. Pure: no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from gangway_device.errors import CredentialsRefused, ProtocolError, ReplacedByAnotherConnection, Stopped

FORBIDDEN_RETRIES = 3
"""How often a 403 on the upgrade is tried again: servers in front answer it for reasons of their own."""

_TERMINAL: dict[int, tuple[type[Stopped], str]] = {
    4400: (ProtocolError, "the hub could not read a frame of this device"),
    4401: (CredentialsRefused, "the credentials are no longer valid; the device must be provisioned again"),
    4409: (ReplacedByAnotherConnection, "another connection of this device took over"),
    4413: (ProtocolError, "a frame of this device was too large for the hub"),
}


@dataclass(frozen=True)
class ComeBack:
    """Try again: after `after` seconds, or where that is None, as the back-off says. `why` is for the log."""

    why: str
    after: float | None = None


def after_close(code: int | None, reason: str, bye: float | None) -> ComeBack:
    """What a close code (RFC 6455, section 7.4; None: no close frame came) means after a `bye` of `bye` seconds.

    Raises Stopped where the device should not come back.
    """
    if code in _TERMINAL:
        kind, sentence = _TERMINAL[code]
        raise kind(f"{sentence} [{code}]")
    return ComeBack(f"the connection was closed [{code}] {reason}".rstrip(), bye)


def after_refused_upgrade(status: int, retry_after: float | None, forbidden_before: int) -> ComeBack:
    """What an HTTP status in place of the upgrade means; `forbidden_before` counts the 403 just before this answer.

    Raises CredentialsRefused.
    """
    if status == 401 or (status == 403 and forbidden_before >= FORBIDDEN_RETRIES):
        raise CredentialsRefused(f"the hub does not accept the credentials of this device [{status}]")
    return ComeBack(f"the hub answered {status}", retry_after if status in (429, 503) else None)
