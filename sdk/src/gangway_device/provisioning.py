"""Getting a device aboard: show a code, poll until a person has let the device in, keep the credentials."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from gangway_device.backoff import Backoff, Pace
from gangway_device.errors import ConfigurationError, Refused, StoreMismatch
from gangway_device.frames import JsonObject
from gangway_device.handover import PollTokenHandOver, new_pending
from gangway_device.network import Network, portal_address
from gangway_device.portal import Portal, ProvisioningCode, TryLater
from gangway_device.store import Credentials, Pending, Store

log = logging.getLogger(__name__)

LONG_POLL = 25
NEVER = float("inf")

CodeCallback: TypeAlias = Callable[[ProvisioningCode], Awaitable[None] | None]
Attributes: TypeAlias = Mapping[str, str | int | float | bool]


class Provisioner:
    """Provisions one device, and goes on after a restart where the last process stopped."""

    def __init__(
        self,
        store: Store,
        *,
        portal: str,
        serial_number: str,
        product: str | None = None,
        attributes: Attributes | None = None,
        on_code: CodeCallback | None = None,
        network: Network | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`on_code` is called with every new code and shows it, until the next call. Without it codes are not renewed:
        somebody then lets the device in by its serial number. Raises ConfigurationError."""
        printable = serial_number.isascii() and serial_number.isprintable()
        if not 1 <= len(serial_number) <= 64 or not printable or serial_number != serial_number.strip():
            raise ConfigurationError(
                "a serial number has 1 to 64 printable ASCII characters, and no blanks at the ends"
            )
        self._store = store
        self._address = portal_address(portal)
        self._serial_number = serial_number
        self._about: JsonObject = {"product": product} if product else {}
        if attributes:
            self._about["attributes"] = dict(attributes)
        self._on_code = on_code
        self._network = network or Network()
        pace = pace or Pace()
        self._code = _Errand(Backoff(pace.base, pace.cap))
        self._poll = _Errand(Backoff(pace.base, pace.cap))
        self._credentials: Credentials | None = None

    async def run(self) -> Credentials:
        """Wait until the device is let in, for as long as that takes, and return what is then in the store.

        Answers at once when the store holds credentials. While the portal cannot be reached it is tried again.
        Raises StoreError, WrongPollToken, AlreadyProvisioned, EnrolmentClosed, Refused.
        """
        with self._store.lock():
            content = self._store.load()
            self._check(content)
            if isinstance(content, Credentials):
                return content
            pending = self._pending(content)
            async with Portal(self._address, self._network, self._serial_number) as portal:
                return await self._wait(portal, PollTokenHandOver(pending))

    def _check(self, content: Pending | Credentials | None) -> None:
        if content is not None and content.serial_number.casefold() != self._serial_number.casefold():
            raise StoreMismatch(f"{self._store.path} belongs to the device {content.serial_number!r}")

    def _pending(self, content: Pending | None) -> Pending:
        if content is not None and content.portal == self._address:
            return content
        pending = new_pending(self._address, self._serial_number)
        # Before its first use: a restart that polled with another token would lock itself out.
        self._store.save(pending)
        return pending

    async def _wait(self, portal: Portal, hand_over: PollTokenHandOver) -> Credentials:
        loop = asyncio.get_running_loop()
        while self._credentials is None:
            if self._code.due <= loop.time():
                await self._code.attempt(lambda: self._renew_code(portal, hand_over))
            if self._poll.due <= loop.time():
                await self._poll.attempt(lambda: self._poll_once(portal, hand_over))
            else:
                await asyncio.sleep(max(0.0, min(self._poll.due, self._code.due) - loop.time()))
        return self._credentials

    async def _renew_code(self, portal: Portal, hand_over: PollTokenHandOver) -> float:
        code = await portal.request_code({**hand_over.binding(), **self._about})
        if self._on_code is None:
            # Asked for once all the same: with it the portal learns what the device says about itself.
            return NEVER
        shown = self._on_code(code)
        if inspect.isawaitable(shown):
            await shown
        return code.expires_in

    async def _poll_once(self, portal: Portal, hand_over: PollTokenHandOver) -> float:
        # No longer than the code on the display lives.
        wait = int(min(LONG_POLL, self._code.due - asyncio.get_running_loop().time()))
        try:
            answer = await portal.poll(hand_over.binding(), max(wait, 0))
        except Refused as refused:
            if refused.code != "code-expired":
                raise
            self._code.due = 0.0
            raise TryLater("the code has expired") from refused
        if isinstance(answer, float):
            return answer
        credentials = hand_over.open(answer)
        # Before anything else is done with them, and without giving another task the chance to cancel this one.
        self._store.save(credentials)
        self._credentials = credentials
        return NEVER


class _Errand:
    """Something to be done when it is due, and done again later when the portal cannot be asked."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self.due = 0.0

    async def attempt(self, action: Callable[[], Awaitable[float]]) -> None:
        """Do it now. `action` returns the seconds until it is due again."""
        try:
            delay = await action()
            self._backoff.reset()
        except TryLater as later:
            delay = self._backoff.next() if later.after is None else later.after
            log.warning("%s; trying again in %.1f s", later, delay)
        self.due = asyncio.get_running_loop().time() + delay


def provision(
    store: Store,
    *,
    portal: str,
    serial_number: str,
    product: str | None = None,
    attributes: Attributes | None = None,
    on_code: CodeCallback | None = None,
    network: Network | None = None,
    timeout: float | None = None,
) -> Credentials:
    """Provision one device and block until it is done; the arguments are Provisioner's.

    Raises what Provisioner.run raises, and TimeoutError after `timeout` seconds: call again to go on.
    """
    provisioner = Provisioner(
        store,
        portal=portal,
        serial_number=serial_number,
        product=product,
        attributes=attributes,
        on_code=on_code,
        network=network,
    )

    async def limited() -> Credentials:
        async with asyncio.timeout(timeout):
            return await provisioner.run()

    return asyncio.run(limited())
