"""The end of a process, on servers that announce it (ASGI lifespan; Daphne does not)."""

import logging
from collections.abc import Callable

from django.db import DatabaseError

from portal.lib.asgi import Receive, Scope, Send
from twins.hub.process import Hub

logger = logging.getLogger(__name__)


class Lifespan:
    """ASGI application for the `lifespan` scope."""

    def __init__(self, hub: Callable[[], Hub]) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await self._hub().stop()
        except DatabaseError:
            # Then the lease decides.
            logger.warning("sessions-not-closed", exc_info=True)
        await send({"type": "lifespan.shutdown.complete"})
