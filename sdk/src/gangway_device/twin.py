"""The rule for desired documents and their versions, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gangway_device import frames
from gangway_device.frames import JsonObject
from gangway_device.merge import apply_patch


@dataclass(frozen=True)
class Desired:
    """What the portal wishes: the whole `document`, its `version`, and the `generation` of the twin they belong to."""

    generation: int
    version: int
    document: JsonObject


@dataclass(frozen=True)
class Replace:
    """The hub sent the whole document."""

    desired: Desired


@dataclass(frozen=True)
class Patch:
    """The hub sent the difference between two versions."""

    generation: int
    start: int
    version: int
    patch: JsonObject


class Verdict(Enum):
    """What to do about a change that cannot simply be taken."""

    IGNORE = "ignore"
    ASK = "ask"


def advance(have: Desired | None, change: Replace | Patch) -> Desired | Verdict:
    """What the device has after `change`, or what it must do instead.

    A document replaces. A patch that is not newer is ignored, one that starts at the version at hand is applied, and
    for any other the device must ask for the twin. Versions of another generation mean nothing here.
    """
    if isinstance(change, Replace):
        return Verdict.IGNORE if change.desired == have else change.desired
    if have is None or have.generation != change.generation:
        return Verdict.ASK
    if change.version <= have.version:
        return Verdict.IGNORE
    if change.start != have.version:
        return Verdict.ASK
    return Desired(change.generation, change.version, apply_patch(have.document, change.patch))


def read_desired(frame: JsonObject) -> Replace | Patch:
    """The change in a `desired` frame. Raises FrameError."""
    generation, version = frames.integer(frame, "generation"), frames.integer(frame, "version")
    if "document" in frame:
        return Replace(Desired(generation, version, _document(frames.mapping(frame, "document"))))
    return Patch(generation, frames.integer(frame, "from"), version, frames.mapping(frame, "patch"))


def read_twin(frame: JsonObject) -> Replace:
    """The desired document in a `twin` frame, where `$version` stands inside the section. Raises FrameError."""
    generation, section = frames.integer(frame, "generation"), frames.mapping(frame, "desired")
    return Replace(Desired(generation, frames.integer(section, "$version"), _document(section)))


def read_welcome(frame: JsonObject, have: Desired | None) -> Replace | Verdict:
    """What a `welcome` says about the desired document, given what the `hello` before it named. Raises FrameError.

    The hub leaves the document out when the device has it; where it did so by mistake, the device must ask.
    """
    generation, version = frames.integer(frame, "generation"), frames.integer(frame, "desiredVersion")
    if "desired" in frame:
        return Replace(Desired(generation, version, _document(frames.mapping(frame, "desired"))))
    in_step = have is not None and (have.generation, have.version) == (generation, version)
    return Verdict.IGNORE if in_step else Verdict.ASK


def reported_section(frame: JsonObject) -> JsonObject:
    """The reported document in a `twin` frame. Raises FrameError."""
    return _document(frames.mapping(frame, "reported"))


def _document(section: JsonObject) -> JsonObject:
    # No member of a document begins with `$`, so these are the hub's own remarks.
    return {name: value for name, value in section.items() if not name.startswith("$")}
