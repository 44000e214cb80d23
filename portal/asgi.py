"""The ASGI application: HTTP to Django through the poll lane, device sockets to the hub, browser sockets to the
Console.
"""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Before anything that imports models.
django_application: Any = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from portal.body_limit import BodyLimit  # noqa: E402
from portal.console.consumers import LiveConsumer  # noqa: E402
from portal.lifespan import Lifespan  # noqa: E402
from portal.sockets import SocketPaths  # noqa: E402
from provisioning.lane.held import HeldPolls  # noqa: E402
from provisioning.lane.pending import PendingLane  # noqa: E402
from twins.consumers import NativeDoor  # noqa: E402
from twins.hub.authentication import DeviceAuthentication  # noqa: E402
from twins.hub.process import get_hub  # noqa: E402

native_door: Any = NativeDoor.as_asgi()
# Two trees: devices bring credentials and no Origin, browsers a session and an Origin.
device_sockets: Any = DeviceAuthentication(native_door)
browser_sockets: Any = AllowedHostsOriginValidator(AuthMiddlewareStack(LiveConsumer.as_asgi()))

application = ProtocolTypeRouter(
    {
        "http": HeldPolls(PendingLane(BodyLimit(django_application))),
        "lifespan": Lifespan(get_hub),
        "websocket": SocketPaths({"/hub/v1": device_sockets, "/live": browser_sockets}),
    }
)
