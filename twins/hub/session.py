"""One connected device as the hub sees it. Front doors call it; it calls them back through `Door`."""

from datetime import datetime
from typing import Any, Protocol

from devices.actors import Actor
from devices.services.credentials import AuthenticatedDevice
from devices.services.sessions import OpenedSession, note_agent
from portal.lib.aio import run_db
from portal.lib.clock import now
from twins.hub.reads import desired_since
from twins.models import Acknowledgement, Twin
from twins.services.twins import get_twin, record_acknowledgement, record_reported


class Door(Protocol):
    """What a front door must be able to do for the hub."""

    async def push_desired(self, *, twin: Twin, from_version: int, patches: list[dict[str, Any]] | None) -> None:
        """Bring the device from a version to the twin's: by the patches in between, or by the whole document."""

    async def end(self, *, code: int, retry_after: int | None = None) -> None:
        """Close the connection with a close code of the vocabulary."""


class HubSession:
    """The device's identity, its epoch, and the desired version it has been sent."""

    def __init__(self, *, device: AuthenticatedDevice, opened: OpenedSession, network: str | None, door: Door) -> None:
        self.device = device
        self.opened = opened
        self.last_frame_at: datetime = now()
        self._network = network
        self._door = door
        # None until the device said hello: before, nothing is pushed to it.
        self._sent: tuple[int, int] | None = None
        self._pushing = False
        self._push_again = False

    def heard(self) -> None:
        """Called by the door for each frame that arrives."""
        self.last_frame_at = now()

    async def get_twin(self) -> Twin:
        """Raises NotFound when the device is gone."""
        return await run_db(get_twin, device_id=self.device.device_id)

    async def greet(self, *, generation: int | None, desired_version: int | None, agent: str = "") -> tuple[Twin, bool]:
        """The twin for a device that says which version it has, and whether it needs the document. From here on it is
        pushed what is newer."""
        if agent:
            await run_db(note_agent, session_id=self.opened.session_id, agent=agent)
        twin = await self.get_twin()
        up_to_date = (generation, desired_version) == (twin.generation, twin.desired_version)
        self._sent = (twin.generation, twin.desired_version)
        return twin, not up_to_date

    async def report(self, patch: dict[str, Any]) -> int:
        """Merge into the reported section; the section's version once that is durable. Raises as `record_reported`."""
        change = await run_db(
            record_reported,
            device_id=self.device.device_id,
            public_id=self.device.public_id,
            tenant_id=self.device.tenant_id,
            epoch=self.opened.epoch,
            patch=patch,
            actor=Actor.device(self._network),
        )
        return change.version

    async def acknowledge(self, *, version: int, failed: bool, reason: str) -> None:
        """Raises as `record_acknowledgement`."""
        await run_db(
            record_acknowledgement,
            device_id=self.device.device_id,
            public_id=self.device.public_id,
            tenant_id=self.device.tenant_id,
            epoch=self.opened.epoch,
            version=version,
            outcome=Acknowledgement.FAILED if failed else Acknowledgement.APPLIED,
            reason=reason,
        )

    async def desired_may_have_changed(self) -> None:
        """Read what is newer than what was sent, and push it. Hints that come meanwhile are answered by one more
        read.
        """
        if self._pushing:
            self._push_again = True
            return
        self._pushing = True
        try:
            while self._sent is not None:
                self._push_again = False
                await self._push_newer(self._sent)
                if not self._push_again:
                    return
        finally:
            self._pushing = False

    async def end(self, *, code: int, retry_after: int | None = None) -> None:
        await self._door.end(code=code, retry_after=retry_after)

    @property
    def sent_version(self) -> int | None:
        return self._sent[1] if self._sent else None

    async def _push_newer(self, sent: tuple[int, int]) -> None:
        generation, version = sent
        twin, patches = await run_db(
            desired_since, device_id=self.device.device_id, generation=generation, version=version
        )
        if (twin.generation, twin.desired_version) == sent:
            return
        self._sent = (twin.generation, twin.desired_version)
        await self._door.push_desired(twin=twin, from_version=version, patches=patches)
