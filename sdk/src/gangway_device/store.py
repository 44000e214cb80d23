"""What a device must not forget: a key or token while it waits, then credentials, and the desired document."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gangway_device import base64url
from gangway_device.errors import FrameError, NotProvisioned, StoreDamaged, StoreError
from gangway_device.files import FileLock, make_private_directory, read_private, write_private
from gangway_device.frames import JsonObject, parse_object
from gangway_device.twin import Desired

log = logging.getLogger(__name__)

FORMAT = 1
PRIVATE_KEY_BYTES = 32


@dataclass(frozen=True)
class Pending:
    """An enrolment that waits for a person. A restart goes on with the same key or token; it has one of them.

    `private_key`: of X25519, 32 bytes in base64url.
    """

    portal: str
    serial_number: str
    poll_token: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if bool(self.poll_token) == bool(self.private_key):
            raise ValueError("an enrolment has a poll token or a private key")
        if self.private_key and len(base64url.decode(self.private_key)) != PRIVATE_KEY_BYTES:
            raise ValueError("a private key has 32 bytes")


@dataclass(frozen=True)
class Credentials:
    """What the portal handed out, once. `data_residency` names the region in which the tenant's data lives.

    `confirm_at` is the address of the portal that has yet to be told that they are kept; None once it knows.
    """

    serial_number: str
    device_id: str
    device_secret: str = field(repr=False)
    tenant_id: str
    data_residency: str
    hub_url: str
    portal_url: str
    confirm_at: str | None = None

    @property
    def confirmed(self) -> bool:
        """Whether the portal knows that they are kept."""
        return self.confirm_at is None

    def __post_init__(self) -> None:
        for address, schemes in ((self.hub_url, ("ws", "wss")), (self.portal_url, ("http", "https"))):
            if urlsplit(address).scheme not in schemes or not urlsplit(address).hostname:
                raise ValueError(f"{address!r} is not a {schemes[1]} address")


@dataclass(frozen=True)
class Snapshot:
    """The desired document that was last settled, and the frame that tells the hub so until the hub has taken it."""

    desired: Desired
    outcome: JsonObject | None


_MEMBERS: dict[type[Pending] | type[Credentials], dict[str, str]] = {
    Pending: {
        "portal": "portal",
        "serial_number": "serialNumber",
        "poll_token": "pollToken",
        "private_key": "privateKey",
    },
    Credentials: {
        "serial_number": "serialNumber",
        "device_id": "deviceId",
        "device_secret": "deviceSecret",
        "tenant_id": "tenantId",
        "data_residency": "dataResidency",
        "hub_url": "hubUrl",
        "portal_url": "portalUrl",
        "confirm_at": "confirmAt",
    },
}
_OPTIONAL = {"poll_token", "private_key", "confirm_at"}


class Store:
    """One JSON file of mode 0600, with `<name>.lock` and `<name>.twin` beside it.

    Every method is quick and blocking. They raise StoreError for what the operating system refuses.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._twin_path = self.path.with_name(f"{self.path.name}.twin")

    def lock(self) -> FileLock:
        """Take the store for this process, until the lock is released. Raises StoreBusy."""
        busy = f"another process is provisioning or running the device of {self.path}"
        try:
            return FileLock(self.path.with_name(f"{self.path.name}.lock"), busy)
        except OSError as error:
            raise self._failed(error) from error

    def load(self) -> Pending | Credentials | None:
        """What the store holds. Raises StoreDamaged, StoreExposed."""
        try:
            content = read_private(self.path)
        except OSError as error:
            raise self._failed(error) from error
        if content is None:
            return None
        try:
            return _read(parse_object(content))
        except (KeyError, ValueError):
            # The cause could quote the file, and with it the secret.
            raise StoreDamaged(
                f"{self.path} is damaged; restore it, or move it away and have the device provisioned again"
            ) from None

    def load_credentials(self) -> Credentials:
        """The credentials. Raises NotProvisioned, StoreDamaged, StoreExposed."""
        content = self.load()
        if not isinstance(content, Credentials):
            raise NotProvisioned(f"{self.path} holds no credentials; run the provisioning first")
        return content

    def save(self, content: Pending | Credentials) -> None:
        """Keep `content` lastingly, in place of what was there."""
        key = "credentials" if isinstance(content, Credentials) else "pending"
        members = {wire: getattr(content, name) for name, wire in _MEMBERS[type(content)].items()}
        self._write(self.path, {"format": FORMAT, key: {wire: value for wire, value in members.items() if value}})

    def load_snapshot(self) -> Snapshot | None:
        """The desired document last settled; None where there is none, or where its file is damaged."""
        try:
            content = self._twin_path.read_bytes()
            return _read_snapshot(parse_object(content))
        except FileNotFoundError:
            return None
        except (OSError, KeyError, FrameError):
            # Nothing is lost: without a version the hub sends the whole document.
            log.warning("%s cannot be read, the hub will send the desired document again", self._twin_path)
            return None

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep `snapshot` lastingly."""
        desired = snapshot.desired
        content: JsonObject = {
            "generation": desired.generation,
            "version": desired.version,
            "document": desired.document,
            "outcome": snapshot.outcome,
        }
        self._write(self._twin_path, content)

    def _write(self, path: Path, content: JsonObject) -> None:
        try:
            make_private_directory(path.parent)
            write_private(path, (json.dumps(content, indent=1) + "\n").encode())
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StoreError:
        return StoreError(f"{error.filename or self.path} cannot be used: {error.strerror or error}")


def _read(content: JsonObject) -> Pending | Credentials:
    if content["format"] != FORMAT:
        raise ValueError("another format")
    for kind, key in ((Credentials, "credentials"), (Pending, "pending")):
        if key in content:
            return kind(**_texts(kind, content[key]))
    raise KeyError("credentials")


def read_credentials(pending: Pending, answer: JsonObject) -> Credentials:
    """The credentials in the portal's hand-over, not confirmed yet. Raises ValueError, KeyError."""
    members = {**answer, "serialNumber": pending.serial_number, "confirmAt": pending.portal}
    return Credentials(**_texts(Credentials, members))


def _read_snapshot(content: JsonObject) -> Snapshot:
    desired = Desired(content["generation"], content["version"], content["document"])
    return Snapshot(desired, content["outcome"])


def _texts(kind: type[Pending] | type[Credentials], members: Any) -> dict[str, str]:
    wanted = _MEMBERS[kind].items()
    return {name: _text(members, wire) for name, wire in wanted if wire in members or name not in _OPTIONAL}


def _text(members: Any, name: str) -> str:
    value = members[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing")
    return value
