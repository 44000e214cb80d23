"""Which sockets there are. Paths without one are refused here, where a router would raise."""

from devices.errors import NotFound
from portal.lib.asgi import AsgiApp, Receive, Scope, Send
from twins.hub.authentication import refuse


class SocketPaths:
    """ASGI application: one application a path."""

    def __init__(self, applications: dict[str, AsgiApp]) -> None:
        self._applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        application = self._applications.get(scope["path"])
        if application is None:
            await refuse(scope, receive, send, NotFound())
            return
        await application(scope, receive, send)
