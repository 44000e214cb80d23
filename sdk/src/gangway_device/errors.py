"""Everything this library raises on purpose.

    GangwayError
    ├── ConfigurationError          an address, a proxy or an option cannot be used as given
    ├── StoreError                  the file with the credentials
    │   ├── StoreDamaged            not what this library wrote
    │   ├── StoreExposed            other users of this machine can read it
    │   ├── StoreBusy               another process is using it
    │   ├── StoreMismatch           it belongs to another serial number
    │   └── NotProvisioned          it holds no credentials yet
    ├── Refused                     the portal said no (RFC 9457 problem)
    │   ├── WrongPoller
    │   ├── AlreadyProvisioned
    │   └── EnrolmentClosed
    ├── HandOverUnreadable          the portal's hand-over does not open, again and again
    ├── FrameError                  a frame cannot be read, or must not be sent
    ├── FrameRefused                the hub answered a frame with `error`
    ├── DeviceClosed                the Device was closed, or never started
    └── Stopped                     the hub sent the device away for good
        ├── CredentialsRefused
        ├── ReplacedByAnotherConnection
        └── ProtocolError

Waiting with a time limit ends with the built-in TimeoutError. No message ever contains a secret.
"""

from __future__ import annotations


class GangwayError(Exception):
    """The root of this library's exceptions."""


class ConfigurationError(GangwayError, ValueError):
    """An address, a proxy, a certificate file or an option cannot be used as given."""


class StoreError(GangwayError):
    """The file that keeps the credentials cannot be used."""


class StoreDamaged(StoreError):
    """The file is not what this library wrote."""


class StoreExposed(StoreError):
    """The file can be read or written by other users, so its secret may be known to them."""


class StoreBusy(StoreError):
    """Another process is provisioning or running the device of this store."""


class StoreMismatch(StoreError):
    """The store belongs to a device with another serial number."""


class NotProvisioned(StoreError):
    """The store holds no credentials yet."""


class Refused(GangwayError):
    """The portal answered with an error that waiting does not mend.

    `code` is the problem's kebab-case code (`http-404` and the like where the answer was no problem document),
    `detail` what the portal said, `request_id` what its support asks for.
    """

    advice = ""
    """What a person can do about it, at the end of the message."""

    def __init__(self, code: str, detail: str, request_id: str | None = None) -> None:
        suffix = f" (request {request_id})" if request_id else ""
        advice = f". {self.advice}" if self.advice else ""
        super().__init__(f"the portal refused: {detail} [{code}]{suffix}{advice}")
        self.code = code
        self.detail = detail
        self.request_id = request_id


class WrongPoller(Refused):
    """The enrolment of this serial number is bound to another key or poll token: another device, or a lost store."""

    advice = (
        "Another device has this serial number, or this one has lost its state file since it began; "
        "restore the file, or have an operator delete or re-enable the device"
    )


class AlreadyProvisioned(Refused):
    """The credentials of this serial number were handed out before; an operator must re-enable the device."""

    advice = "Restore the state file that holds them, or have an operator delete or re-enable the device"


class EnrolmentClosed(Refused):
    """The enrolment was declined or has expired. `retry_after`: seconds until a new one may start, if said."""

    retry_after: float | None = None


class HandOverUnreadable(GangwayError):
    """The portal's hand-over does not open with this device's key, or holds no usable credentials.

    Raised when the same bytes came several times, so that they were not damaged on the way. Key and token stay in the
    store: the next start asks again.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"the portal's hand-over cannot be used: {why}")


class FrameError(GangwayError, ValueError):
    """A frame cannot be read, or holds what the hub would not accept (RFC 8259 JSON and the page's limits)."""


class FrameRefused(GangwayError):
    """The hub answered a frame with `error`.

    `code` is its kebab-case code, `pointer` the offending member of a patch (RFC 6901) where the hub named one.
    """

    def __init__(self, code: str, detail: str, pointer: str | None = None) -> None:
        super().__init__(f"the hub refused: {detail} [{code}]" + (f" at {pointer!r}" if pointer is not None else ""))
        self.code = code
        self.detail = detail
        self.pointer = pointer


class DeviceClosed(GangwayError):
    """The Device was closed before the answer came, or is not running."""


class Stopped(GangwayError):
    """The hub sent the device away; the library does not come back by itself."""


class CredentialsRefused(Stopped):
    """The credentials are not, or no longer, valid (close code 4401; 401 or 403 on the upgrade)."""


class ReplacedByAnotherConnection(Stopped):
    """Another connection of the same device took over (close code 4409)."""


class ProtocolError(Stopped):
    """The hub could not read what this library sent (close codes 4400, 4413)."""
