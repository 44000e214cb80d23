"""How many frames a connection may send."""

import time

WINDOW = 10.0  # seconds over which the rate is averaged


class FrameRate:
    """A token bucket: `per_second` on average over ten seconds, so that a short burst is fine."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._capacity = per_second * WINDOW
        self._tokens = self._capacity
        self._updated = time.monotonic()

    def allows(self) -> bool:
        """Take one; False when there is none."""
        moment = time.monotonic()
        self._tokens = min(self._capacity, self._tokens + (moment - self._updated) * self.per_second)
        self._updated = moment
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
