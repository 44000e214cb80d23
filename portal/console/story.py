"""How a device comes aboard, as steps: the Claim page follows them live, the device page looks back on them."""

from dataclasses import dataclass
from datetime import datetime

from devices.models import Device
from provisioning.models import Enrolment
from twins.models import Acknowledgement, Twin


@dataclass(frozen=True, slots=True)
class Step:
    """`state` is "done", "now", "later" or "failed"."""

    name: str
    state: str
    at: datetime | None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """`saying` is the story so far in one sentence, for those who hear the page."""

    steps: list[Step]
    saying: str

    @property
    def is_complete(self) -> bool:
        return all(step.state == "done" for step in self.steps)

    @property
    def is_over(self) -> bool:
        """Nothing more will happen by itself."""
        return self.is_complete or any(step.state == "failed" for step in self.steps)


def story_of(device: Device, enrolment: Enrolment | None, twin: Twin) -> Story:
    """From the unlock to the first configuration."""
    configured_at = _configured_at(device, twin)
    if twin.acknowledgement == Acknowledgement.FAILED and twin.acknowledged_version == twin.desired_version:
        last = Step("Configured", "failed", twin.acknowledged_at, twin.acknowledgement_reason or "It gave no reason.")
    else:
        last = _step(
            "Configured", configured_at, "The device takes over its settings.", device.activated_at is not None
        )
        if configured_at and not twin.desired_version:
            last = Step("Configured", "done", configured_at, "Nothing is desired of it yet.")
    return _told([*_walk(_until_connected(device, enrolment)), last], device)


def came_aboard(device: Device, enrolment: Enrolment | None) -> Story:
    """From the first word of the device to its first connection, for looking back."""
    asked = ("Asked to join", enrolment.created_at if enrolment else device.created_at, "")
    return _told(_walk([asked, *_until_connected(device, enrolment)]), device)


def _until_connected(device: Device, enrolment: Enrolment | None) -> list[tuple[str, datetime | None, str]]:
    unlocked_at = enrolment.unlocked_at if enrolment else device.created_at
    delivered_at = enrolment.delivered_at if enrolment else None
    # A device that was connected has collected its credentials, whatever happened to the enrolment's row.
    return [
        ("Let in", unlocked_at, ""),
        ("Credentials collected", delivered_at or device.activated_at, "The device collects them with its next poll."),
        ("Connected", device.activated_at, "The device opens its connection."),
    ]


def _configured_at(device: Device, twin: Twin) -> datetime | None:
    if device.activated_at is None:
        return None
    if not twin.desired_version:
        return device.activated_at
    applied = twin.acknowledgement == Acknowledgement.APPLIED and twin.acknowledged_version == twin.desired_version
    return twin.acknowledged_at if applied else None


def _walk(steps: list[tuple[str, datetime | None, str]]) -> list[Step]:
    walked: list[Step] = []
    for name, at, hint in steps:
        walked.append(_step(name, at, hint, not walked or walked[-1].state == "done"))
    return walked


def _step(name: str, at: datetime | None, hint: str, is_next: bool) -> Step:
    if at is not None:
        return Step(name, "done", at)
    return Step(name, "now", None, hint) if is_next else Step(name, "later", None)


def _told(steps: list[Step], device: Device) -> Story:
    failed = next((step for step in steps if step.state == "failed"), None)
    if failed:
        return Story(steps, f"{device.name} could not apply its settings: {failed.hint}")
    reached = [step.name.lower() for step in steps if step.state == "done"]
    return Story(steps, f"{device.name}: {reached[-1] if reached else 'waiting'}.")
