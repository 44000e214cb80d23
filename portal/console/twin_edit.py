"""What a person types on the Twin page, as merge patches. Pure functions."""

import json
from collections.abc import Iterable
from typing import Any

from devices.errors import InvalidRequest
from portal.lib import strict_json
from twins.errors import InvalidPatch
from twins.limits import DEPTH
from twins.merge import apply_patch, difference

KINDS = {"text": "Text", "number": "Number", "boolean": "True or false", "json": "JSON"}


def read_value(kind: str, text: str) -> Any:
    """The value a person means. Raises InvalidRequest with a sentence."""
    if kind == "text":
        return text
    value = _parse(text.strip())
    match kind:
        case "number" if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "json" if value is not None:
            return value
        case "json":
            raise InvalidRequest("null means delete: use the delete button.")
        case "number":
            raise InvalidRequest("A number is written like 21, -3 or 0.5.")
        case "boolean":
            raise InvalidRequest("Write true or false.")
    raise InvalidRequest("Choose what kind of value it is.")


def kind_of(value: Any) -> str:
    """The kind under which a value is best edited."""
    match value:
        case str():
            return "text"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
    return "json"


def written(value: Any) -> str:
    """A value as it is typed under its kind."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def leaf_patch(pointer: str, value: Any) -> dict[str, Any]:
    """The patch that gives one leaf a value, or with None deletes it. Raises InvalidPatch."""
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.strip().removeprefix("/").split("/")]
    if not all(tokens):
        raise InvalidPatch("Name the setting, such as interval or network/ntp.", pointer="")
    if len(tokens) > DEPTH:
        raise InvalidPatch(f"Nested deeper than {DEPTH}.", pointer="")
    patch: Any = value
    for token in reversed(tokens):
        patch = {token: patch}
    return dict(patch)


def document_patch(before: dict[str, Any], text: str) -> dict[str, Any]:
    """The patch that makes the section what the text says. Raises InvalidRequest when that is no JSON object."""
    after = _parse(text)
    if not isinstance(after, dict):
        raise InvalidRequest("The desired section is one JSON object, in braces.")
    return difference(before, after)


def undoing_patch(earlier: Iterable[dict[str, Any]], undone: dict[str, Any]) -> dict[str, Any]:
    """The patch that takes one change back: `earlier` are all patches before it, oldest first."""
    before: dict[str, Any] = {}
    for patch in earlier:
        before = apply_patch(before, patch)
    return difference(apply_patch(before, undone), before)


def _parse(text: str) -> Any:
    try:
        return strict_json.parse(text)
    except strict_json.StrictJsonError as error:
        raise InvalidRequest(str(error)) from None
