"""How often a network may ask. Counted per network, so that nobody can keep a device out by asking in its name."""

from django.conf import settings

from devices.errors import TooManyRequests
from devices.serials import serial_key
from portal.lib.throttle import count, counted
from provisioning.lane.pace import poller_key, polls
from provisioning.lane.requests import PollContext
from provisioning.pollers import Poller

_MINUTE = 60


def check_poll(name: str, poller: Poller, network: str | None, context: PollContext) -> None:
    """Raise TooManyRequests when the same poller asked less than a second ago."""
    if context.is_repeated or context.is_paced:
        return
    if not polls.allows(poller_key(serial_key(name), poller.digest, network), settings.POLL_MINIMUM_INTERVAL):
        raise TooManyRequests(f"Poll every {settings.POLL_INTERVAL} seconds.", retry_after=settings.POLL_INTERVAL)


def check_code_request(network: str | None) -> None:
    if count(f"codes:{network}", window=_MINUTE) > settings.ENROLMENTS_PER_MINUTE:
        raise TooManyRequests("Too many devices ask for codes from this network.", retry_after=_MINUTE)


def check_misses(network: str | None) -> None:
    """Raise TooManyRequests when too many codes polled from this network were none."""
    if counted(f"misses:{network}") >= settings.DEVICE_MISSES_PER_MINUTE:
        raise TooManyRequests("Too many unknown codes came from this network.", retry_after=_MINUTE)


def count_miss(network: str | None) -> None:
    count(f"misses:{network}", window=_MINUTE)
