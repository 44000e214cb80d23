"""`gangway-device simulate`: a fleet of devices in one process, to try a portal with."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import tempfile
from pathlib import Path

from gangway_device.cli.options import Commands, add_network_options, network_of, run_until_terminated, state_file
from gangway_device.cli.simulated import Counters, Fleet, SimulatedDevice
from gangway_device.network import portal_address

COUNTERS_EVERY = 5.0
FILES_EACH = 4


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("simulate", help="run many devices", description=__doc__)
    parser.add_argument("--portal", required=True, metavar="URL", help="for example https://portal.example")
    parser.add_argument("--devices", required=True, type=int, metavar="N", help="how many")
    parser.add_argument("--prefix", default="SIM", help="what their serial numbers begin with (default: SIM)")
    parser.add_argument("--product", metavar="P", help="what they say they are")
    parser.add_argument("--token", metavar="API_TOKEN", help="claim them with it; without, a person enters the codes")
    parser.add_argument("--report-interval", type=float, default=5.0, metavar="SECONDS", help="default: 5")
    parser.add_argument("--duration", type=float, metavar="SECONDS", help="end after so long (default: never)")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="keep them for the next time (default: do not)")
    parser.add_argument("--connect-rate", type=float, default=20.0, metavar="R", help="starts a second (default: 20)")
    add_network_options(parser)
    parser.set_defaults(command=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    _allow_open_files(options.devices * FILES_EACH)
    if options.state_dir is not None:
        return run_until_terminated(_run(options, options.state_dir))
    with tempfile.TemporaryDirectory(prefix="gangway-simulate-") as directory:
        return run_until_terminated(_run(options, Path(directory)))


async def _run(options: argparse.Namespace, directory: Path) -> None:
    fleet = Fleet(
        portal=portal_address(options.portal),
        network=network_of(options),
        product=options.product,
        token=options.token or os.environ.get("GANGWAY_TOKEN"),
        report_interval=options.report_interval,
        counters=Counters(),
    )
    serials = [f"{options.prefix}-{number:05d}" for number in range(1, options.devices + 1)]
    devices = [SimulatedDevice(fleet, serial, state_file(directory, serial)) for serial in serials]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_print_counters(fleet.counters, devices))]
        tasks += [
            group.create_task(device.live(delay=position / options.connect_rate))
            for position, device in enumerate(devices)
        ]
        if options.duration is not None:
            await asyncio.sleep(options.duration)
            print(fleet.counters.line(devices), flush=True)
            for task in tasks:
                task.cancel()


async def _print_counters(counters: Counters, devices: list[SimulatedDevice]) -> None:
    while True:
        await asyncio.sleep(COUNTERS_EVERY)
        print(counters.line(devices), flush=True)


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
