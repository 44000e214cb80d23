"""Live updates for pages. The socket says only that something changed; the page fetches what it shows."""

import json
import uuid
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from devices.access import memberships_of
from devices.hints import ENROLMENTS_GROUP, tenant_group
from portal.lib.aio import run_db


class LiveConsumer(AsyncWebsocketConsumer):
    """One browser page. It hears of the devices of the user's tenants, and of one enrolment if it names one."""

    _groups: list[str]
    _enrolment: str | None = None

    async def connect(self) -> None:
        self._groups = []
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.close(4401)
            return
        memberships = await run_db(memberships_of, user_id=user.pk)
        for membership in memberships:
            await self._join(tenant_group(membership.tenant.public_id))
        await self.accept()

    async def disconnect(self, code: int) -> None:
        for group in self._groups:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """The page says which enrolment it follows: its id, as plain text. Only the Claim page knows one."""
        try:
            self._enrolment = str(uuid.UUID(text_data or ""))
        except ValueError:
            await self.close(4400)
            return
        # Only now: every enrolment of the portal is told here, which is a lot for pages that follow none.
        if ENROLMENTS_GROUP not in self._groups:
            await self._join(ENROLMENTS_GROUP)

    async def device_changed(self, message: dict[str, Any]) -> None:
        await self.send(json.dumps({"type": "device", "device": message["device"], "what": message["what"]}))

    async def enrolment_changed(self, message: dict[str, Any]) -> None:
        if message["enrolment"] == self._enrolment:
            await self.send(json.dumps({"type": "enrolment", "enrolment": self._enrolment}))

    async def _join(self, group: str) -> None:
        self._groups.append(group)
        await self.channel_layer.group_add(group, self.channel_name)
