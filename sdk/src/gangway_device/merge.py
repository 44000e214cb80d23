"""JSON merge patches (RFC 7396), as pure functions."""

from __future__ import annotations

import copy
from typing import Any


def apply_patch(target: Any, patch: Any) -> Any:
    """Return `target` changed by `patch`; neither is modified; what is unchanged may be shared with `target`.

    RFC 7396, section 2: objects merge, `None` deletes a member, everything else replaces.
    """
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply_patch(result.get(name), value)
    return result


def make_patch(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the smallest patch that makes `after` out of `before`; empty when they are equal.

    `after` must not hold `None` as a member's value: a merge patch cannot say so (RFC 7396, section 1).
    """
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if name in before and _same(old, value):
            continue
        if isinstance(old, dict) and isinstance(value, dict):
            patch[name] = make_patch(old, value)
        else:
            patch[name] = copy.deepcopy(value)
    return patch


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; unlike in Python, `True` and `1` are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
