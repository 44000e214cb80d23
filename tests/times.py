"""Moving the portal's clock, and waiting for something without knowing how long it takes."""

import time
from datetime import UTC, datetime, timedelta

PATIENCE = 20.0


class MovedClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **kw: float) -> None:
        self.moment += timedelta(**kw)


def until(condition, what: str, patience: float = PATIENCE):
    """Waits until a condition gives something true, and returns that."""
    deadline = time.monotonic() + patience
    while not (outcome := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return outcome
