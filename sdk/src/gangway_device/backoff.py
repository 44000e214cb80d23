"""How long to wait before trying again: full-jitter exponential back-off and `Retry-After`."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 86_400.0
"""Seconds. A server that asks for more is asked again after a day."""


@dataclass(frozen=True)
class Pace:
    """How patient the library is; every member in seconds.

    `base` and `cap` bound the back-off, `stable_after` is how long a connection must have lasted for the back-off to
    start over, and `answer_timeout` how long an answer may take before the connection counts as dead.
    """

    base: float = 1.0
    cap: float = 60.0
    stable_after: float = 60.0
    answer_timeout: float = 30.0


class Backoff:
    """Waiting times that are random between 0 and a bound, which doubles from `base` to `cap` seconds."""

    def __init__(self, base: float, cap: float, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._base = base
        self._cap = cap
        self._uniform = uniform
        self._bound = base

    def next(self) -> float:
        """Seconds to wait now; the bound of the next answer is twice as high."""
        bound = min(self._bound, self._cap)
        self._bound = min(bound * 2, self._cap)
        return self._uniform(0, bound)

    def reset(self) -> None:
        """Start over at `base`."""
        self._bound = self._base


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for (RFC 9110, section 10.2.3: seconds or a date).

    None where the header is missing or cannot be read; never negative, at most LONGEST_WAIT.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max((when - (now or datetime.now(UTC))).total_seconds(), 0.0), LONGEST_WAIT)
