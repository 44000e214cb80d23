"""The command line `gangway-device`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from gangway_device.cli import provision, run, simulate, status
from gangway_device.errors import ConfigurationError, GangwayError

OK, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130

EPILOG = """exit codes:
  0    done
  1    failed, or refused by the portal
  2    wrong usage
  3    not reachable, or not done in time
  130  ended by Ctrl-C

environment:
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY   the CONNECT proxy, unless --proxy names one
  XDG_STATE_HOME                      where the state files are, if not ~/.local/state
  GANGWAY_TOKEN                       the API token of `simulate`, unless --token gives one
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. An error is one sentence on stderr."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    # One request a line is not what an operator asked for.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        code: int = options.command(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ConfigurationError as error:
        return _say(error, USAGE)
    except TimeoutError as error:
        return _say(str(error) or "not done in time; call again to go on", UNREACHABLE)
    except (GangwayError, OSError) as error:
        return _say(error, FAILED)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gangway-device",
        description="The device's side of a Gangway portal.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (provision, run, status, simulate):
        command.add_parser(commands)
    return parser


def _say(error: object, code: int) -> int:
    print(f"gangway-device: {error}", file=sys.stderr)
    return code
