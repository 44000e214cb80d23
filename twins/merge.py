"""JSON merge patch (RFC 7396) and what follows from it, as pure functions. Nothing here changes its arguments."""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]


def apply_patch(target: Any, patch: Any) -> Any:
    """The target with the patch applied: RFC 7396 section 2, word for word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply_patch(result.get(name), value)
    return result


def difference(before: Document, after: Document) -> Document:
    """The smallest merge patch that makes `before` into `after`; {} when they are equal. Documents hold no null."""
    patch: Document = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if name not in before:
            patch[name] = value
        elif isinstance(old, dict) and isinstance(value, dict):
            if inner := difference(old, value):
                patch[name] = inner
        elif not same(old, value):
            patch[name] = value
    return patch


def same(one: Any, other: Any) -> bool:
    """Equality as JSON sees it: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def leaves(document: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf with its JSON pointer (RFC 6901). Arrays, and objects without members, count as leaves."""
    if isinstance(document, dict) and (document or not pointer):
        for name, value in document.items():
            yield from leaves(value, f"{pointer}/{escape(name)}")
    else:
        yield pointer, document


def escape(name: str) -> str:
    """A member's name as a JSON pointer token (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
