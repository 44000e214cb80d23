"""Frames of the hub: one JSON object (RFC 8259) a text message, as pure functions."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from gangway_device.errors import FrameError

JsonObject: TypeAlias = dict[str, Any]

MAX_FRAME_BYTES = 64 * 1024
"""The largest frame the hub accepts, in bytes of UTF-8."""

MAX_NUMBER = 2**52
"""Numbers beyond ± this are not sent: not every peer keeps them exactly."""


def parse_object(text: str | bytes) -> JsonObject:
    """Read one JSON object.

    Raises FrameError for anything else, for a duplicate member and for `NaN` or `Infinity`, which Python would take.
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except FrameError:
        raise
    except (ValueError, RecursionError) as error:
        raise FrameError("not JSON") from error
    if not isinstance(value, dict):
        raise FrameError("not a JSON object")
    return value


def parse(message: str | bytes) -> JsonObject:
    """Read one frame: a JSON object with a text `type`. Raises FrameError."""
    if not isinstance(message, str):
        raise FrameError("a frame is a text message")
    frame = parse_object(message)
    if not isinstance(frame.get("type"), str):
        raise FrameError("a frame has a type")
    return frame


def serialise(frame: JsonObject) -> str:
    """Write one frame.

    Raises FrameError for what the hub would close the connection over: more than 64 KiB, `NaN`, a number beyond
    ±2⁵², `None` inside an array, a member name that is no text, and anything that is not JSON.
    """
    try:
        _check(frame)
        text = json.dumps(frame, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except FrameError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"not JSON: {error}") from error
    if size > MAX_FRAME_BYTES:
        raise FrameError(f"a frame may have {MAX_FRAME_BYTES} bytes, not {size}")
    return text


def integer(frame: JsonObject, name: str) -> int:
    """The whole number in member `name`. Raises FrameError."""
    value = frame.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FrameError(f"{frame.get('type')}: {name} is not a whole number")
    return value


def mapping(frame: JsonObject, name: str) -> JsonObject:
    """The object in member `name`. Raises FrameError."""
    value = frame.get(name)
    if not isinstance(value, dict):
        raise FrameError(f"{frame.get('type')}: {name} is not an object")
    return value


def seconds(frame: JsonObject, name: str) -> float | None:
    """The duration in member `name`, in seconds; None where it is missing or no duration."""
    value = frame.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return float(value)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise FrameError("a member appears twice")
    return result


def _refuse_constant(name: str) -> None:
    raise FrameError(f"{name} is not JSON")


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            # json.dumps would quietly turn 1, True and None into texts, and two members into one.
            if not isinstance(name, str):
                raise FrameError("a member name is text")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if item is None:
                raise FrameError("an array holds no null")
            _check(item)
    elif isinstance(value, int | float) and not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise FrameError("a number is beyond ±2**52")
