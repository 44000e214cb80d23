"""The native hub protocol, without I/O: text ⇄ frames. docs/device-protocol.md is its description."""

import json
from dataclasses import dataclass
from typing import Any

from devices.errors import DomainError
from portal.lib.clock import now, rfc3339
from portal.lib.strict_json import StrictJsonError, parse
from twins.errors import InvalidFrame, MalformedFrame
from twins.models import Twin

PROTOCOL = 1
ID_LENGTH = 64
AGENT_LENGTH = 128
REASON_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Hello:
    id: str | None
    generation: int | None
    desired_version: int | None
    agent: str


@dataclass(frozen=True, slots=True)
class GetTwin:
    id: str | None


@dataclass(frozen=True, slots=True)
class Report:
    id: str | None
    patch: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The frames `applied` (no reason) and `failed`."""

    id: str | None
    version: int
    failed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Ping:
    id: str | None


DeviceFrame = Hello | GetTwin | Report | Acknowledge | Ping


def read_frame(text: str) -> DeviceFrame:
    """The frame in a text message.

    Raises MalformedFrame when it is not one JSON object with a `type`; InvalidFrame (with the frame's `id` among its
    data) when it is none of the protocol's frames.
    """
    try:
        document = parse(text)
    except StrictJsonError as error:
        raise MalformedFrame(str(error)) from None
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise MalformedFrame("A frame is a JSON object with a type.")
    frame_id = _frame_id(document)
    try:
        return _read(document, frame_id)
    except InvalidFrame as error:
        error.data["id"] = frame_id or ""
        raise


def _read(document: dict[str, Any], frame_id: str | None) -> DeviceFrame:
    match document["type"]:
        case "hello":
            return _hello(document, frame_id)
        case "getTwin":
            return GetTwin(frame_id)
        case "report":
            patch = document.get("patch")
            if not isinstance(patch, dict):
                raise InvalidFrame("A report has a patch, which is a JSON object.")
            return Report(frame_id, patch)
        case "applied":
            return Acknowledge(frame_id, _version(document, "version"), False, "")
        case "failed":
            reason = document.get("reason", "")
            if not isinstance(reason, str):
                raise InvalidFrame("A reason is a string.")
            return Acknowledge(frame_id, _version(document, "version"), True, _clean(reason, REASON_LENGTH))
        case "ping":
            return Ping(frame_id)
    raise InvalidFrame("There is no frame of this type.")


def _hello(document: dict[str, Any], frame_id: str | None) -> Hello:
    if document.get("protocol", PROTOCOL) != PROTOCOL:
        raise InvalidFrame(f"This hub speaks protocol {PROTOCOL}.")
    agent = document.get("agent", "")
    if not isinstance(agent, str):
        raise InvalidFrame("An agent is a string.")
    return Hello(
        frame_id,
        _version(document, "generation") if "generation" in document else None,
        _version(document, "desiredVersion") if "desiredVersion" in document else None,
        _clean(agent, AGENT_LENGTH),
    )


def _frame_id(document: dict[str, Any]) -> str | None:
    frame_id = document.get("id")
    if frame_id is None:
        return None
    if not isinstance(frame_id, str) or not 1 <= len(frame_id) <= ID_LENGTH:
        raise InvalidFrame(f"An id is a string of 1 to {ID_LENGTH} characters.")
    return frame_id


def _version(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise InvalidFrame(f"{name} is a whole number from 0.")
    return value


def _clean(text: str, length: int) -> str:
    """Printable, and no longer than what is stored: devices' words end up on pages and in logs."""
    return "".join(char for char in text if char.isprintable())[:length]


# --- Hub to device ----------------------------------------------------------------------------------------------------


def welcome(
    *,
    frame_id: str | None,
    session_id: str,
    device_id: str,
    tenant_id: str,
    twin: Twin,
    heartbeat: int,
    with_document: bool,
) -> str:
    members: dict[str, Any] = {
        "sessionId": session_id,
        "deviceId": device_id,
        "tenantId": tenant_id,
        "generation": twin.generation,
        "desiredVersion": twin.desired_version,
        "reportedVersion": twin.reported_version,
        "heartbeat": heartbeat,
        "time": rfc3339(now()),
    }
    if with_document:
        members["desired"] = twin.desired
    return _write("welcome", frame_id, members)


def twin_frame(*, frame_id: str | None, twin: Twin) -> str:
    """The twin as the device may see it: never its tags."""
    return _write(
        "twin",
        frame_id,
        {
            "generation": twin.generation,
            "desired": {**twin.desired, "$version": twin.desired_version},
            "reported": {**twin.reported, "$version": twin.reported_version},
        },
    )


def desired_patch(*, generation: int, version: int, patch: dict[str, Any]) -> str:
    return _write("desired", None, {"generation": generation, "from": version - 1, "version": version, "patch": patch})


def desired_document(*, twin: Twin, from_version: int) -> str:
    members = {
        "generation": twin.generation,
        "from": from_version,
        "version": twin.desired_version,
        "document": twin.desired,
    }
    return _write("desired", None, members)


def reported(*, frame_id: str | None, version: int) -> str:
    return _write("reported", frame_id, {"version": version})


def acknowledged(*, frame_id: str | None, version: int) -> str:
    return _write("acknowledged", frame_id, {"version": version})


def pong(*, frame_id: str | None) -> str:
    return _write("pong", frame_id, {"time": rfc3339(now())})


def error_frame(*, frame_id: str | None, error: DomainError) -> str:
    members: dict[str, Any] = {"code": error.code, "title": error.title, "detail": error.detail}
    if error.retry_after is not None:
        members["retryAfter"] = error.retry_after
    if "pointer" in error.data:
        members["pointer"] = error.data["pointer"]
    return _write("error", frame_id, members)


def bye(*, code: int, retry_after: int) -> str:
    return _write("bye", None, {"code": code, "retryAfter": retry_after})


def _write(kind: str, frame_id: str | None, members: dict[str, Any]) -> str:
    document = {"type": kind, **({"id": frame_id} if frame_id is not None else {}), **members}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
