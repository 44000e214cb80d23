"""How the credentials come over: what a device says to bind an enrolment to itself, and what it makes of the answer.

This is the hand-over bound by a random poll token. The provisioner knows nothing of it but these two methods.
"""

from __future__ import annotations

import secrets

from gangway_device.frames import JsonObject
from gangway_device.portal import TryLater
from gangway_device.store import Credentials, Pending, read_credentials

POLL_TOKEN_BYTES = 32


def new_pending(portal: str, serial_number: str) -> Pending:
    """A new enrolment with a poll token of its own, to be stored before it is used."""
    return Pending(portal, serial_number, secrets.token_urlsafe(POLL_TOKEN_BYTES))


class PollTokenHandOver:
    """The portal hands out in clear, once, to the poll that carries the token (inside TLS)."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    def binding(self) -> JsonObject:
        """The members that bind a request to this device."""
        return {"serialNumber": self._pending.serial_number, "pollToken": self._pending.poll_token}

    def open(self, answer: JsonObject) -> Credentials:
        """The credentials in the hand-over. Raises TryLater where there are none."""
        try:
            return read_credentials(self._pending.serial_number, answer)
        except (KeyError, ValueError):
            # The cause could quote a secret.
            raise TryLater("the portal's hand-over cannot be understood") from None
