"""One connection to the hub, from the upgrade to the close."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxyStatus, InvalidStatus

from gangway_device import frames, twin
from gangway_device.applying import Applier
from gangway_device.backoff import parse_retry_after
from gangway_device.concurrency import first_of
from gangway_device.endings import ComeBack, after_close, after_refused_upgrade
from gangway_device.errors import FrameError
from gangway_device.frames import JsonObject
from gangway_device.network import Network
from gangway_device.outbox import HubSilent, Outbox
from gangway_device.store import Credentials

log = logging.getLogger(__name__)

# At DEBUG, the library would log the upgrade's headers, and with them the secret.
_quiet_log = logging.getLogger("gangway_device.websockets")
_quiet_log.setLevel(logging.INFO)

MAX_INCOMING_BYTES = 256 * 1024
DEFAULT_HEARTBEAT = 30.0
FORBIDDEN = 403


class UpgradeRefused(Exception):
    """The server answered the upgrade with an HTTP status."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"the hub answered {status}")
        self.status = status
        self.retry_after = retry_after

    def ending(self, forbidden_before: int) -> ComeBack:
        """What it means. Raises CredentialsRefused."""
        return after_refused_upgrade(self.status, self.retry_after, forbidden_before)


class Unreachable(Exception):
    """No connection came about."""


async def open_websocket(credentials: Credentials, network: Network, timeout: float) -> ClientConnection:
    """Connect and upgrade within `timeout` seconds. Raises UpgradeRefused, Unreachable."""
    pair = f"{credentials.device_id}:{credentials.device_secret}".encode()
    try:
        return await connect(
            credentials.hub_url,
            additional_headers={"Authorization": "Basic " + base64.b64encode(pair).decode()},
            proxy=network.websocket_proxy(credentials.hub_url, credentials.device_id),
            ssl=network.websocket_tls(credentials.hub_url),
            open_timeout=timeout,
            # Frames are small, and a compressor costs more memory than everything else of a connection.
            compression=None,
            # The protocol's own `ping` watches over the connection.
            ping_interval=None,
            close_timeout=timeout,
            max_size=MAX_INCOMING_BYTES,
            logger=_quiet_log,
        )
    except InvalidProxyStatus as error:
        raise Unreachable(f"the proxy answered {error.response.status_code}") from error
    except InvalidStatus as error:
        retry_after = parse_retry_after(error.response.headers.get("Retry-After"))
        raise UpgradeRefused(error.response.status_code, retry_after) from error
    except (OSError, InvalidHandshake, EOFError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


class Connection:
    """The conversation on one open WebSocket."""

    def __init__(self, websocket: ClientConnection, outbox: Outbox, applier: Applier, answer_timeout: float) -> None:
        self._websocket = websocket
        self._outbox = outbox
        self._applier = applier
        self._answer_timeout = answer_timeout
        self._bye: float | None = None

    async def serve(self, hello: JsonObject, on_welcome: Callable[[JsonObject], None]) -> ComeBack:
        """Talk until the connection ends, and say what its end means. Raises Stopped."""
        try:
            welcome = await self._greet(hello)
            on_welcome(welcome)
            heartbeat = frames.seconds(welcome, "heartbeat") or DEFAULT_HEARTBEAT
            # Three quarters: a ping on its way must not arrive late.
            pump = self._outbox.pump(self._websocket.send, heartbeat * 0.75, self._answer_timeout)
            await first_of(self._read(), pump)
            raise AssertionError("neither half of a connection returns")
        except ConnectionClosed as error:
            code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (None, "")
            return after_close(code, reason, self._bye)
        except (FrameError, HubSilent) as error:
            return ComeBack(f"the hub cannot be understood: {error}")
        finally:
            await self._websocket.close()

    async def _greet(self, hello: JsonObject) -> JsonObject:
        have = self._applier.desired
        if have is not None:
            hello = {**hello, "generation": have.generation, "desiredVersion": have.version}
        await self._websocket.send(frames.serialise(hello))
        try:
            async with asyncio.timeout(self._answer_timeout):
                while (frame := frames.parse(await self._websocket.recv()))["type"] != "welcome":
                    self._handle(frame)
        except TimeoutError as error:
            raise HubSilent("no answer to hello") from error
        self._applier.receive(twin.read_welcome(frame, have))
        return frame

    async def _read(self) -> None:
        while True:
            self._handle(frames.parse(await self._websocket.recv()))

    def _handle(self, frame: JsonObject) -> None:
        match frame["type"]:
            case "desired":
                self._applier.receive(twin.read_desired(frame))
            case "twin":
                self._applier.receive(twin.read_twin(frame))
            case "bye":
                self._bye = frames.seconds(frame, "retryAfter")
            case "error" if "id" not in frame:
                log.warning("the hub complains: %s [%s]", frame.get("detail"), frame.get("code"))
        self._outbox.resolve(frame)
