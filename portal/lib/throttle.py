"""Counting in Redis what may happen only so often.

Windows are fixed: a count begins with its first event and is forgotten when the window is over. When Redis is away
nothing is counted: availability of the way aboard goes before its limits, which the database's own rules do not depend
on.
"""

import logging
from functools import cache

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

_PREFIX = "gangway:count:"
# A server that does not answer must not hold up those who are not counted.
_PATIENCE = 2.0


def count(key: str, *, window: int) -> int:
    """Count one event and return how many there were in the window (seconds) so far."""
    try:
        # In one step: a count that outlived the end of its window between two would never be forgotten.
        with _redis().pipeline(transaction=True) as together:
            together.set(_PREFIX + key, 0, ex=window, nx=True)
            together.incr(_PREFIX + key)
            return int(together.execute()[1])
    except RedisError:
        logger.warning("throttle-unavailable", exc_info=True)
        return 0


def counted(key: str) -> int:
    """How many events there were in the present window."""
    try:
        return int(_redis().get(_PREFIX + key) or 0)
    except RedisError:
        logger.warning("throttle-unavailable", exc_info=True)
        return 0


@cache
def _redis() -> Redis:
    """One pool of connections a process; it connects when it is used."""
    return Redis.from_url(settings.REDIS_URL, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
