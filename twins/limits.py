"""What may be in a twin, as pure functions.

The figures are Azure IoT Hub's device twin limits, which clients of this kind are used to; each is checked on what
would be stored. A patch that makes a section smaller is always allowed, so a section over its limit can be mended.
"""

from collections.abc import Mapping
from typing import Any

from twins.errors import InvalidPatch, TwinTooLarge
from twins.merge import escape

SECTION_BYTES = {"tags": 8 * 1024, "desired": 32 * 1024, "reported": 32 * 1024}
DEPTH = 10
NAME_BYTES = 1024
STRING_BYTES = 4096
INTEGER = 2**52 - 1
_FORBIDDEN_IN_NAMES = frozenset(".$ ")


def check_patch(patch: Any) -> None:
    """Raise InvalidPatch, with a JSON pointer to the offending member, unless this could be a merge patch of a
    section.
    """
    if not isinstance(patch, dict):
        raise InvalidPatch("A patch is a JSON object.", pointer="")
    _check_object(patch, "", 1)


def check_size(section: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise TwinTooLarge when the section would grow beyond its limit."""
    limit, size = SECTION_BYTES[section], document_size(after)
    if size > limit and size > document_size(before):
        raise TwinTooLarge(f"The {section} section would have {size} bytes; it may have {limit}.")


def document_size(value: Any) -> int:
    """Bytes by Azure's count: names and strings in UTF-8, numbers 8, booleans 4, structure nothing."""
    if isinstance(value, dict):
        return sum(len(name.encode()) + document_size(member) for name, member in value.items())
    if isinstance(value, list):
        return sum(map(document_size, value))
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bool):
        return 4
    return 0 if value is None else 8


def _check_object(value: dict[str, Any], pointer: str, depth: int) -> None:
    if depth > DEPTH:
        raise InvalidPatch(f"Nested deeper than {DEPTH}.", pointer=pointer)
    for name, member in value.items():
        inner = f"{pointer}/{escape(name)}"
        _check_name(name, inner)
        _check_value(member, inner, depth + 1)


def _check_value(value: Any, pointer: str, depth: int) -> None:
    match value:
        case None | bool():
            return
        case dict():
            _check_object(value, pointer, depth)
        case list():
            _check_array(value, pointer, depth)
        case str():
            _check_string(value, pointer)
        case int() if not -INTEGER <= value <= INTEGER:
            raise InvalidPatch("Integers lie within ±(2^52 − 1).", pointer=pointer)
        case float() if not -INTEGER <= value <= INTEGER:
            # NaN and the infinities too. PostgreSQL would give 1e300 back as an integer of 301 digits.
            raise InvalidPatch("Numbers are finite and lie within ±(2^52 − 1).", pointer=pointer)


def _check_array(value: list[Any], pointer: str, depth: int) -> None:
    if depth > DEPTH:
        raise InvalidPatch(f"Nested deeper than {DEPTH}.", pointer=pointer)
    for index, member in enumerate(value):
        inner = f"{pointer}/{index}"
        if member is None:
            raise InvalidPatch("An array may not hold null: null means delete.", pointer=inner)
        if isinstance(member, dict):
            _refuse_null_members(member, inner)
        _check_value(member, inner, depth + 1)


def _refuse_null_members(value: dict[str, Any], pointer: str) -> None:
    """Within an array nothing merges, so a null there would be stored as null."""
    for name, member in value.items():
        if member is None:
            raise InvalidPatch("An array may not hold null: null means delete.", pointer=f"{pointer}/{escape(name)}")
        if isinstance(member, dict):
            _refuse_null_members(member, f"{pointer}/{escape(name)}")


def _check_name(name: str, pointer: str) -> None:
    if not name:
        raise InvalidPatch("A member needs a name.", pointer=pointer)
    if not _is_text(name) or set(name) & _FORBIDDEN_IN_NAMES:
        raise InvalidPatch("A member's name has no control character, '.', '$' or blank.", pointer=pointer)
    if len(name.encode()) > NAME_BYTES:
        raise InvalidPatch(f"A member's name has at most {NAME_BYTES} bytes.", pointer=pointer)


def _check_string(value: str, pointer: str) -> None:
    if not _is_unicode(value):
        raise InvalidPatch("A string may not hold half of a surrogate pair.", pointer=pointer)
    if "\x00" in value:
        raise InvalidPatch("A string may not hold the character U+0000.", pointer=pointer)
    if len(value.encode()) > STRING_BYTES:
        raise InvalidPatch(f"A string has at most {STRING_BYTES} bytes.", pointer=pointer)


def _is_text(value: str) -> bool:
    return _is_unicode(value) and not any(char < "\x20" or "\x7f" <= char <= "\x9f" for char in value)


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in value)
