"""`gangway-device run`: a sample agent, which reports about this machine and prints what the portal wishes."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time

from gangway_device.cli.options import (
    Commands,
    add_network_options,
    add_state_option,
    existing_store,
    network_of,
    run_until_terminated,
)
from gangway_device.concurrency import first_of
from gangway_device.device import Device
from gangway_device.frames import JsonObject

AGENT = "gangway-device sample agent"


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("run", help="connect and stay connected", description=__doc__)
    add_state_option(parser, "the only one in $XDG_STATE_HOME/gangway-device")
    parser.add_argument("--report-interval", type=float, default=30.0, metavar="SECONDS", help="default: 30")
    add_network_options(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    device = Device(existing_store(options), network=network_of(options), agent=AGENT)
    device.on_desired(_print_desired)
    return run_until_terminated(_serve(device, options.report_interval))


async def _serve(device: Device, interval: float) -> None:
    async with device:
        await first_of(device.run(), _announce(device), _report_for_ever(device, interval))


async def _announce(device: Device) -> None:
    await device.connect()
    print("connected", flush=True)
    await asyncio.Event().wait()


async def _report_for_ever(device: Device, interval: float) -> None:
    started = time.monotonic()
    while True:
        await device.report(_about_this_machine(time.monotonic() - started))
        await asyncio.sleep(interval)


def _about_this_machine(uptime: float) -> JsonObject:
    about: JsonObject = {
        "hostname": platform.node(),
        "uptimeSeconds": round(uptime),
        "python": platform.python_version(),
        "agent": AGENT,
    }
    if hasattr(os, "getloadavg"):
        about["loadAverage"] = round(os.getloadavg()[0], 2)
    return about


def _print_desired(document: JsonObject, version: int) -> None:
    print(f"desired version {version}: {json.dumps(document)}", flush=True)
