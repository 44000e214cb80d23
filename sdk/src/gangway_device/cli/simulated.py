"""One device of a simulated fleet, and what the fleet counts."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gangway_device.backoff import Backoff
from gangway_device.concurrency import first_of
from gangway_device.device import Device
from gangway_device.errors import GangwayError
from gangway_device.frames import JsonObject
from gangway_device.merge import make_patch
from gangway_device.network import Network
from gangway_device.portal import Portal, ProvisioningCode, TryLater
from gangway_device.provisioning import Provisioner
from gangway_device.store import Store

FIRMWARE = "1.4.2"


@dataclass
class Counters:
    """What happened since the start."""

    provisioned: int = 0
    reports: int = 0
    applied: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)

    def line(self, devices: Sequence[SimulatedDevice]) -> str:
        """One line for the terminal."""
        online = sum(device.online for device in devices)
        reconnects = sum(device.reconnects for device in devices)
        return (
            f"{time.monotonic() - self.started:6.0f} s  {self.provisioned}/{len(devices)} provisioned  "
            f"{online} online  {self.reports} reports  {self.applied} applied  "
            f"{reconnects} reconnects  {self.failed} failed"
        )


@dataclass(frozen=True)
class Fleet:
    """What all devices of a simulation share. `report_interval`: seconds."""

    portal: str
    network: Network
    product: str | None
    token: str | None = field(repr=False)
    report_interval: float
    counters: Counters


class SimulatedDevice:
    """A thermometer of sorts: it drifts, and takes over whatever settings it is given."""

    def __init__(self, fleet: Fleet, serial_number: str, state: Path) -> None:
        self._fleet = fleet
        self._serial_number = serial_number
        self._store = Store(state)
        self._device: Device | None = None
        self._settings: JsonObject = {}
        self._temperature = random.uniform(18, 26)  # noqa: S311 - weather, not a secret

    @property
    def online(self) -> bool:
        """Whether it is connected."""
        return self._device is not None and self._device.connected

    @property
    def reconnects(self) -> int:
        """How often it had to connect again."""
        return max(self._device.connections - 1, 0) if self._device is not None else 0

    async def live(self, delay: float) -> None:
        """After `delay` seconds get aboard, connect and report, until cancelled. A failure ends this device only."""
        await asyncio.sleep(delay)
        try:
            await self._provision()
            self._fleet.counters.provisioned += 1
            await self._work()
        except GangwayError as error:
            self._fleet.counters.failed += 1
            print(f"{self._serial_number}: {error}", file=sys.stderr)

    async def _provision(self) -> None:
        provisioner = Provisioner(
            self._store,
            portal=self._fleet.portal,
            serial_number=self._serial_number,
            product=self._fleet.product,
            attributes={"firmware": FIRMWARE, "simulated": True},
            on_code=self._on_code,
            on_match_number=self._on_match_number,
            network=self._fleet.network,
        )
        await provisioner.run()

    async def _on_code(self, code: ProvisioningCode) -> None:
        if self._fleet.token is None:
            print(f"{self._serial_number}: enter {code.grouped} at {code.verification_uri}", flush=True)
        else:
            await self._claim(code, self._fleet.token)

    def _on_match_number(self, number: str) -> None:
        print(f"{self._serial_number}: tell the person who lets it in: {number}", flush=True)

    async def _claim(self, code: ProvisioningCode, token: str) -> None:
        backoff = Backoff(1.0, 60.0)
        async with Portal(self._fleet.portal, self._fleet.network, self._serial_number) as portal:
            try:
                async with asyncio.timeout(code.expires_in):
                    while True:
                        try:
                            return await portal.claim(code.code, self._serial_number, token)
                        except TryLater as later:
                            await asyncio.sleep(backoff.next() if later.after is None else later.after)
            except TimeoutError:
                return

    async def _work(self) -> None:
        self._device = Device(self._store, network=self._fleet.network, agent=f"gangway-device simulator {FIRMWARE}")
        async with self._device:
            if self._device.desired is not None:
                self._settings = self._device.desired.document
            self._device.on_desired(self._apply)
            await first_of(self._device.run(), self._report_for_ever(self._device))

    async def _apply(self, document: JsonObject, version: int) -> None:
        patch = make_patch(self._settings, document)
        self._settings = document
        self._fleet.counters.applied += 1
        if self._device is not None and patch:
            await self._report(self._device, {"settings": patch})

    async def _report_for_ever(self, device: Device) -> None:
        started = time.monotonic()
        await self._report(device, {"firmware": FIRMWARE, "settings": self._settings})
        while True:
            await asyncio.sleep(self._fleet.report_interval * random.uniform(0.8, 1.2))  # noqa: S311 - to spread load
            self._temperature += random.uniform(-0.2, 0.2)  # noqa: S311 - weather
            uptime = round(time.monotonic() - started)
            await self._report(device, {"temperature": round(self._temperature, 1), "uptimeSeconds": uptime})

    async def _report(self, device: Device, patch: JsonObject) -> None:
        await device.report(patch)
        self._fleet.counters.reports += 1
