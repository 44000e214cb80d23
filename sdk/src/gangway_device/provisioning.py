"""Getting a device aboard: show a code, poll until a person lets it in, keep the credentials, and say so."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias, TypeVar

from gangway_device.backoff import Backoff, Pace
from gangway_device.confirmation import confirm, remember_confirmed
from gangway_device.errors import ConfigurationError, HandOverUnreadable, Refused, StoreMismatch
from gangway_device.frames import JsonObject
from gangway_device.handover import HandOver, HandOverKind, hand_over_of, new_pending
from gangway_device.network import Network, portal_address
from gangway_device.portal import Portal, ProvisioningCode, StillPending, TryLater
from gangway_device.store import Credentials, Pending, Store

log = logging.getLogger(__name__)

LONG_POLL = 25
LET_IN_PAUSE = 30.0
"""Seconds until another code is asked for, after the portal said that the device was let in and needs none."""

SAME_BYTES_LIMIT = 3
"""So often may the same unreadable hand-over come: then it was not damaged on the way."""

NEVER = float("inf")

CodeCallback: TypeAlias = Callable[[ProvisioningCode], Awaitable[None] | None]
MatchNumberCallback: TypeAlias = Callable[[str], Awaitable[None] | None]
Attributes: TypeAlias = Mapping[str, str | int | float | bool]
Argument = TypeVar("Argument")


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
        on_match_number: MatchNumberCallback | None = None,
        hand_over: HandOverKind = "sealed",
        network: Network | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`on_code` is called with every new code and shows it, until the next call. Without it no code is asked for:
        somebody then lets the device in by its serial number. `on_match_number` is called with the digits the portal
        wants shown, once for each new number. `hand_over` is for new enrolments: "sealed" to a key of this device, or
        by a "token" where there is no `cryptography`; one that has begun goes on as it began.
        Raises ConfigurationError."""
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
        self._on_match_number = on_match_number
        self._match_number: str | None = None
        self._kind = hand_over
        self._network = network or Network()
        self._pace = pace or Pace()
        self._code = _Errand(Backoff(self._pace.base, self._pace.cap))
        self._poll = _Errand(Backoff(self._pace.base, self._pace.cap))
        if on_code is None:
            self._code.due = NEVER
        self._unreadable: JsonObject | None = None
        self._unreadable_times = 0
        self._credentials: Credentials | None = None

    async def run(self) -> Credentials:
        """Wait until the device is let in, for as long as that takes, and return what is then in the store.

        Answers at once when the store holds credentials. While the portal cannot be reached it is tried again.
        Credentials that the portal could not be told of are returned all the same: the next call tells it, or the
        first connection to the hub does.
        Raises StoreError, WrongPoller, AlreadyProvisioned, EnrolmentClosed, Refused, HandOverUnreadable,
        ConfigurationError.
        """
        with self._store.lock():
            content = self._store.load()
            self._check(content)
            if isinstance(content, Credentials):
                return await self._confirm_again(content)
            hand_over = hand_over_of(self._pending(content))
            async with Portal(self._address, self._network, self._serial_number) as portal:
                return await self._confirm(portal, await self._wait(portal, hand_over))

    def _check(self, content: Pending | Credentials | None) -> None:
        if content is not None and content.serial_number.casefold() != self._serial_number.casefold():
            raise StoreMismatch(f"{self._store.path} belongs to the device {content.serial_number!r}")

    def _pending(self, content: Pending | None) -> Pending:
        if content is not None and content.portal == self._address:
            return content
        pending = new_pending(self._address, self._serial_number, self._kind)
        # Before its first use: a restart that polled with another key would lock itself out.
        self._store.save(pending)
        return pending

    async def _wait(self, portal: Portal, hand_over: HandOver) -> Credentials:
        loop = asyncio.get_running_loop()
        while self._credentials is None:
            if self._code.due <= loop.time():
                await self._code.attempt(lambda: self._renew_code(portal, hand_over))
            if self._poll.due <= loop.time():
                await self._poll.attempt(lambda: self._poll_once(portal, hand_over))
            else:
                await asyncio.sleep(max(0.0, min(self._poll.due, self._code.due) - loop.time()))
        return self._credentials

    async def _renew_code(self, portal: Portal, hand_over: HandOver) -> float:
        try:
            code = await portal.request_code({**hand_over.binding(), **self._about})
        except Refused as refused:
            if refused.code != "invalid-transition":
                raise
            # Let in already, perhaps before a restart: the poll brings the credentials.
            return LET_IN_PAUSE
        await _call(self._on_code, code)
        return code.expires_in

    async def _poll_once(self, portal: Portal, hand_over: HandOver) -> float:
        # No longer than the code on the display lives.
        wait = int(min(LONG_POLL, self._code.due - asyncio.get_running_loop().time()))
        try:
            answer = await portal.poll({**hand_over.binding(), **self._about}, max(wait, 0))
        except Refused as refused:
            if refused.code != "code-expired":
                raise
            if self._on_code is not None:
                self._code.due = 0.0
            raise TryLater("the code has expired") from refused
        if isinstance(answer, StillPending):
            await self._show_match_number(answer.match_number)
            return answer.after
        try:
            credentials = hand_over.open(answer)
        except HandOverUnreadable as error:
            self._give_up_on(answer, error)
            raise TryLater(str(error)) from error
        # Before anything else is done with them, and without giving another task the chance to cancel this one.
        self._store.save(credentials)
        self._credentials = credentials
        return NEVER

    async def _show_match_number(self, number: str | None) -> None:
        if number is not None and number != self._match_number:
            self._match_number = number
            await _call(self._on_match_number, number)

    def _give_up_on(self, answer: JsonObject, error: HandOverUnreadable) -> None:
        self._unreadable_times = self._unreadable_times + 1 if answer == self._unreadable else 1
        self._unreadable = answer
        if self._unreadable_times >= SAME_BYTES_LIMIT:
            raise error

    async def _confirm_again(self, credentials: Credentials) -> Credentials:
        if credentials.confirm_at is None:
            return credentials
        async with Portal(credentials.confirm_at, self._network, credentials.device_id) as portal:
            return await self._confirm(portal, credentials)

    async def _confirm(self, portal: Portal, credentials: Credentials) -> Credentials:
        try:
            await confirm(portal, credentials, self._pace)
        except (Refused, TryLater) as error:
            log.warning("%s; the first connection to the hub will confirm the credentials", error)
            return credentials
        return remember_confirmed(self._store, credentials)


async def _call(callback: Callable[[Argument], Awaitable[None] | None] | None, argument: Argument) -> None:
    awaitable = callback(argument) if callback is not None else None
    if inspect.isawaitable(awaitable):
        await awaitable


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
    on_match_number: MatchNumberCallback | None = None,
    hand_over: HandOverKind = "sealed",
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
        on_match_number=on_match_number,
        hand_over=hand_over,
        network=network,
    )

    async def limited() -> Credentials:
        try:
            async with asyncio.timeout(timeout):
                return await provisioner.run()
        except TimeoutError:
            content = store.load()
            if isinstance(content, Credentials):
                # All that was left to do was to confirm them.
                return content
            raise

    return asyncio.run(limited())
