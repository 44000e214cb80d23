"""Counting in Redis what may happen only so often.

Windows are fixed: a count begins with its first event and is forgotten when the window is over. When Redis is away
nothing is
counted: availability of the way aboard goes before its limits, which the database's own rules do not depend on.
"""

import logging

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def count(key: str, *, window: int) -> int:
    """Count one event and return how many there were in the window (seconds) so far."""
    try:
        cache.add(key, 0, timeout=window)
        return int(cache.incr(key))
    except ValueError:
        # The window ended between the two calls: this event is the first of the next.
        return 1
    except RedisError:
        logger.warning("throttle-unavailable", exc_info=True)
        return 0


def counted(key: str) -> int:
    """How many events there were in the present window."""
    try:
        return int(cache.get(key, 0))
    except RedisError:
        logger.warning("throttle-unavailable", exc_info=True)
        return 0
