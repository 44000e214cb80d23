"""How the credentials come over: what a device says to bind an enrolment to itself, and what it makes of the answer.

Sealed: the device makes a key pair, and the portal seals the credentials to it. Token: the portal hands them out in
clear (inside TLS) to the poll that carries a random token. Either way the portal gives the identical bytes again until
the device confirms, so an answer that cannot be read is asked for again. Nothing here does I/O.
"""

from __future__ import annotations

import secrets
from types import ModuleType
from typing import Literal, Protocol, TypeAlias

from gangway_device import base64url, frames
from gangway_device.errors import ConfigurationError, HandOverUnreadable
from gangway_device.frames import JsonObject
from gangway_device.portal import TryLater
from gangway_device.store import Credentials, Pending, read_credentials

HandOverKind: TypeAlias = Literal["sealed", "token"]

POLL_TOKEN_BYTES = 32


class HandOver(Protocol):
    """One way for the credentials to come over."""

    def binding(self) -> JsonObject:
        """The members that bind a request to this device."""

    def open(self, answer: JsonObject) -> Credentials:
        """The credentials in the portal's answer.

        Raises HandOverUnreadable, and TryLater where the answer is no hand-over at all.
        """


def new_pending(portal: str, serial_number: str, kind: HandOverKind) -> Pending:
    """A new enrolment with a key or token of its own, to be stored before it is used. Raises ConfigurationError."""
    match kind:
        case "sealed":
            private_key = base64url.encode(_sealing().make_private_key())
            return Pending(portal, serial_number, private_key=private_key)
        case "token":
            return Pending(portal, serial_number, poll_token=secrets.token_urlsafe(POLL_TOKEN_BYTES))
    raise ConfigurationError(f"{kind!r} is no kind of hand-over; there are 'sealed' and 'token'")


def hand_over_of(pending: Pending) -> HandOver:
    """The way this enrolment began with, which is the way it goes on. Raises ConfigurationError."""
    return SealedHandOver(pending, _sealing()) if pending.private_key else TokenHandOver(pending)


class SealedHandOver:
    """Only the device can open what it is given, and the portal keeps nothing else."""

    def __init__(self, pending: Pending, sealing: ModuleType) -> None:
        self._pending = pending
        self._sealing = sealing
        self._private_key = base64url.decode(pending.private_key)

    def binding(self) -> JsonObject:
        """See HandOver."""
        public_key = base64url.encode(self._sealing.public_key_of(self._private_key))
        return {"serialNumber": self._pending.serial_number, "publicKey": public_key}

    def open(self, answer: JsonObject) -> Credentials:
        """See HandOver."""
        _check_status(answer)
        if answer.get("suite") != self._sealing.SUITE:
            raise HandOverUnreadable(f"it is not sealed with {self._sealing.SUITE}")
        try:
            sealed = base64url.decode(str(answer.get("sealed", "")))
            document = self._sealing.open_sealed(self._private_key, sealed)
        except ValueError:
            raise HandOverUnreadable("it does not open with this device's key: damaged, or another's") from None
        return _read(self._pending, document)


class TokenHandOver:
    """For devices without cryptography: in clear, to the poll that carries the token."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    def binding(self) -> JsonObject:
        """See HandOver."""
        return {"serialNumber": self._pending.serial_number, "pollToken": self._pending.poll_token}

    def open(self, answer: JsonObject) -> Credentials:
        """See HandOver."""
        _check_status(answer)
        return _read(self._pending, answer)


def _check_status(answer: JsonObject) -> None:
    if answer.get("status") != "provisioned":
        raise TryLater("the portal's answer is no hand-over")


def _read(pending: Pending, document: JsonObject | bytes) -> Credentials:
    try:
        content = frames.parse_object(document) if isinstance(document, bytes) else document
        return read_credentials(pending, content)
    except (KeyError, ValueError):
        # The cause could quote a secret.
        raise HandOverUnreadable("it holds no usable credentials") from None


def _sealing() -> ModuleType:
    # Here and not above: a device without `cryptography` can still use the token.
    try:
        from gangway_device import sealing
    except ImportError as error:
        raise ConfigurationError(
            "the sealed hand-over needs the package cryptography; install it, or choose the hand-over 'token'"
        ) from error
    return sealing
