"""A twin as the page shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twins.drift import ABSENT, Leaf, compare
from twins.models import Acknowledgement, Section, Twin, TwinChange

_CHANGES = 20


@dataclass(frozen=True, slots=True)
class LeafView:
    """A leaf with when each side changed last. A side that is not there is None, which no leaf of a twin is."""

    pointer: str
    name: str
    desired: Any
    reported: Any
    is_desired: bool
    is_reported: bool
    is_behind: bool
    desired_at: datetime | None
    reported_at: datetime | None


def compared(twin: Twin) -> list[LeafView]:
    """All leaves of both sections; what the device is behind with comes first."""
    answered = twin.acknowledged_version == twin.desired_version
    applied = answered and twin.acknowledgement == Acknowledgement.APPLIED
    leaves = compare(twin.desired, twin.reported, applied=applied)
    return [_view(leaf, twin) for leaf in sorted(leaves, key=lambda leaf: (leaf.desired is ABSENT, leaf.pointer))]


def newest_changes(twin: Twin, since: datetime | None = None) -> list[TwinChange]:
    """The last changes of the desired section, newest first; those of another tenant, before `since`, are not told."""
    changes = TwinChange.objects.filter(twin=twin, section=Section.DESIRED).select_related("user")
    if since is not None:
        changes = changes.filter(at__gte=since)
    return list(changes.order_by("-version")[:_CHANGES])


def _view(leaf: Leaf, twin: Twin) -> LeafView:
    return LeafView(
        pointer=leaf.pointer,
        name=leaf.pointer.removeprefix("/").replace("/", " / ").replace("~1", "/").replace("~0", "~"),
        desired=leaf.desired,
        reported=leaf.reported,
        is_desired=leaf.desired is not ABSENT,
        is_reported=leaf.reported is not ABSENT,
        is_behind=leaf.is_behind,
        desired_at=_moment(twin.desired_metadata, leaf.pointer),
        reported_at=_moment(twin.reported_metadata, leaf.pointer),
    )


def _moment(metadata: Mapping[str, str], pointer: str) -> datetime | None:
    stamp = metadata.get(pointer)
    return datetime.fromisoformat(stamp) if stamp else None
