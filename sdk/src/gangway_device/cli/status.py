"""`gangway-device status`: what the state file holds, and whether the hub accepts it."""

from __future__ import annotations

import argparse
import asyncio

from gangway_device.cli.options import Commands, add_network_options, add_state_option, existing_store, network_of
from gangway_device.cli.provision import show_credentials
from gangway_device.device import Device
from gangway_device.errors import StoreBusy
from gangway_device.network import Network
from gangway_device.store import Credentials, Store


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("status", help="what this device has, and whether it counts", description=__doc__)
    add_state_option(parser, "the only one in $XDG_STATE_HOME/gangway-device")
    parser.add_argument("--timeout", type=float, default=15.0, metavar="SECONDS", help="for the hub (default: 15)")
    add_network_options(parser)
    parser.set_defaults(command=_status)


def _status(options: argparse.Namespace) -> int:
    store = existing_store(options)
    content = store.load()
    if not isinstance(content, Credentials):
        where = f"waiting to be let in at {content.portal}" if content else "empty"
        print(f"Not provisioned ({store.path} is {where}).")
        return 1
    print("Provisioned:")
    show_credentials(content)
    snapshot = store.load_snapshot()
    print(f"  desired        {f'version {snapshot.desired.version}' if snapshot else 'none applied yet'}")
    try:
        asyncio.run(_check(store, network_of(options), options.timeout))
    except StoreBusy:
        # A second connection would push the first one out.
        print("  hub            not asked: another process is running this device")
        return 0
    print("  hub            accepts these credentials")
    return 0


async def _check(store: Store, network: Network, timeout: float) -> None:
    device = Device(store, network=network, agent="gangway-device status")
    try:
        await device.connect(timeout)
    except TimeoutError as error:
        raise TimeoutError("the hub cannot be reached") from error
    finally:
        await device.close()
