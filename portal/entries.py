"""How many wrong codes and serial numbers a person may enter, on pages and through the API together."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from devices.errors import TooManyRequests
from portal.lib.throttle import count, counted
from provisioning.errors import CodeNotUsable, SerialNotWaiting

_WINDOW = 60  # seconds


def check_entries(user_id: int) -> None:
    """Raise TooManyRequests when the user had too many wrong ones within the last minute."""
    if counted(_key(user_id)) >= settings.CODE_ENTRIES_PER_MINUTE:
        raise TooManyRequests(
            "Too many wrong entries. Wait a minute, then look at the device again.", retry_after=_WINDOW
        )


@contextmanager
def counting_wrong_entries(user_id: int) -> Iterator[None]:
    """Count what turns out wrong within."""
    try:
        yield
    except (CodeNotUsable, SerialNotWaiting):
        count(_key(user_id), window=_WINDOW)
        raise


def _key(user_id: int) -> str:
    return f"wrong-entries:{user_id}"
