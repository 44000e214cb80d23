"""How far a device is behind what is desired of it, as pure functions."""

from dataclasses import dataclass
from typing import Any

from twins.merge import Document, leaves, same


class _Absent:
    """Stands for a value that is not there; JSON's null cannot, because it may be one."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf, as it is desired and as it is reported; ABSENT where a section has none at this pointer."""

    pointer: str
    desired: Any
    reported: Any
    is_behind: bool


def compare(desired: Document, reported: Document, *, applied: bool) -> list[Leaf]:
    """Every leaf of either section, by pointer.

    A desired leaf is behind when the device reports another value in its place. Where the device reports nothing there,
    its word counts: `applied` says whether it acknowledged the present desired version as applied.
    """
    wanted, told = dict(leaves(desired)), dict(leaves(reported))
    return [
        _leaf(pointer, wanted.get(pointer, ABSENT), told.get(pointer, value_at(reported, pointer)), applied)
        for pointer in sorted(wanted | told)
    ]


def settings_behind(desired: Document, reported: Document, *, applied: bool) -> int:
    """How many desired leaves are behind; 0 is "in step"."""
    return sum(leaf.is_behind for leaf in compare(desired, reported, applied=applied))


def value_at(document: Document, pointer: str) -> Any:
    """What a section holds at a JSON pointer (RFC 6901), not looking into arrays; ABSENT when nothing."""
    value: Any = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
    return value


def _leaf(pointer: str, desired: Any, reported: Any, applied: bool) -> Leaf:
    if desired is ABSENT:
        return Leaf(pointer, desired, reported, False)
    behind = not applied if reported is ABSENT else not same(desired, reported)
    return Leaf(pointer, desired, reported, behind)
