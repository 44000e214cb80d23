"""`gangway-device provision`: show a code, wait for a person, keep the credentials."""

from __future__ import annotations

import argparse
import sys
from typing import get_args

import segno

from gangway_device.cli.options import (
    Commands,
    add_network_options,
    add_state_option,
    network_of,
    state_directory,
    state_file,
)
from gangway_device.errors import ConfigurationError
from gangway_device.handover import HandOverKind
from gangway_device.portal import ProvisioningCode
from gangway_device.provisioning import provision
from gangway_device.store import Credentials, Store


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("provision", help="get this device aboard", description=__doc__)
    parser.add_argument("--portal", required=True, metavar="URL", help="for example https://portal.example")
    parser.add_argument("--serial", required=True, metavar="S", help="the maker's serial number")
    parser.add_argument("--product", metavar="P", help="what the device says it is")
    parser.add_argument("--attribute", action="append", default=[], metavar="NAME=VALUE", help="may be given often")
    add_state_option(parser, "<serial>.json in $XDG_STATE_HOME/gangway-device")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="give up after so long (default: never)")
    parser.add_argument(
        "--hand-over",
        choices=get_args(HandOverKind),
        default="sealed",
        help="sealed to a key of this device (default), or by a token, which needs no cryptography",
    )
    look = parser.add_mutually_exclusive_group()
    look.add_argument("--qr", action="store_true", help="print a QR code even where stdout is no terminal")
    look.add_argument("--plain", action="store_true", help="print the code without frame and QR code")
    add_network_options(parser)
    parser.set_defaults(command=_provision)


def _provision(options: argparse.Namespace) -> int:
    store = Store(options.state or state_file(state_directory(), options.serial))
    known = isinstance(store.load(), Credentials)
    with_qr = not options.plain and (options.qr or sys.stdout.isatty())
    credentials = provision(
        store,
        portal=options.portal,
        serial_number=options.serial,
        product=options.product,
        attributes=_attributes(options.attribute),
        on_code=lambda code: _show(code, plain=options.plain, with_qr=with_qr),
        on_match_number=lambda number: _show_match_number(number, plain=options.plain),
        hand_over=options.hand_over,
        network=network_of(options),
        timeout=options.timeout,
    )
    print("This device was provisioned before:" if known else "Provisioned:")
    show_credentials(credentials)
    print(f"  state file     {store.path}")
    return 0


def show_credentials(credentials: Credentials) -> None:
    """Print what the portal handed out, but for the secret."""
    print(f"  serial number  {credentials.serial_number}")
    print(f"  device         {credentials.device_id}")
    print(f"  tenant         {credentials.tenant_id}")
    print(f"  data in        {credentials.data_residency}")
    print(f"  hub            {credentials.hub_url}")
    print(f"  portal         {credentials.portal_url}")


def _show(code: ProvisioningCode, *, plain: bool, with_qr: bool) -> None:
    if plain:
        print(code.grouped, code.verification_uri, sep="\n", flush=True)
        return
    _print_large(code.grouped)
    print(f"Enter this code at {code.verification_uri}")
    if with_qr:
        segno.make(code.verification_uri_complete, micro=False).terminal(compact=True)
    print(f"It is valid for {code.expires_in:.0f} seconds. Waiting …", flush=True)


def _show_match_number(number: str, *, plain: bool) -> None:
    if not plain:
        _print_large(number)
    print(f"Tell the person who lets the device in: {number}", flush=True)


def _print_large(text: str) -> None:
    line = "─" * (len(text) * 2 + 7)
    print(f"\n    ┌{line}┐\n    │    {' '.join(text)}    │\n    └{line}┘\n")


def _attributes(pairs: list[str]) -> dict[str, str]:
    attributes = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise ConfigurationError(f"{pair!r} is not NAME=VALUE")
        attributes[name] = value
    return attributes
