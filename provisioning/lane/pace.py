"""How soon a poller may ask again. Kept in this process: it costs no round trip, and a device talks to one process at
a time.
"""

import hashlib
import time


class Pace:
    """Remembers who asked within the last interval (seconds), in two generations, so that memory stays bounded by the
    rate.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, float] = {}
        self._old: dict[bytes, float] = {}
        self._turned = 0.0

    def allows(self, poller: bytes, interval: float) -> bool:
        """Note that the poller asks. False, and nothing is noted, when it asked less than `interval` ago."""
        if not interval:
            return True
        moment = time.monotonic()
        if moment - self._turned > interval:
            self._old, self._young, self._turned = self._young, {}, moment
        last = self._young.get(poller) or self._old.get(poller)
        if last is not None and moment - last < interval:
            return False
        self._young[poller] = moment
        return True


polls = Pace()


def poller_key(serial_key: str, poller_digest: str, network: str | None) -> bytes:
    """Per network, so that nobody can keep a device waiting by asking in its name."""
    return hashlib.blake2b(f"{serial_key}\x00{poller_digest}\x00{network}".encode(), digest_size=16).digest()
