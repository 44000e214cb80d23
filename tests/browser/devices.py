"""A device in a thread: the library as a device's maker uses it."""

import queue
import threading
from contextlib import contextmanager

from gangway_device import BlockingDevice, Store, provision

PATIENCE = 40.0


class RunningDevice:
    """Shows a code, waits to be let in, connects, and applies what is desired of it."""

    def __init__(self, portal_url, serial_number, state_file, *, connects=True):
        self.serial_number = serial_number
        self._portal_url = portal_url
        self._store = Store(state_file)
        self._connects = connects
        self._codes = queue.Queue()
        self._numbers = queue.Queue()
        self._applied = queue.Queue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, name=serial_number, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._over.set()
        self._thread.join(PATIENCE)

    def shown_code(self):
        return self._codes.get(timeout=PATIENCE)

    def shown_number(self):
        """The two digits it shows once its code was entered, where they are needed."""
        return self._numbers.get(timeout=PATIENCE)

    def applied(self):
        """The next document it applied, with its version."""
        return self._applied.get(timeout=PATIENCE)

    def _live(self):
        provision(
            self._store,
            portal=self._portal_url,
            serial_number=self.serial_number,
            product="TH-200",
            attributes={"firmware": "1.4.2", "hardware": "rev C"},
            on_code=lambda code: self._codes.put(code.code),
            on_match_number=self._numbers.put,
            timeout=PATIENCE,
        )
        if not self._connects:
            return
        with BlockingDevice(self._store, agent="thermometer 1.4.2") as device:

            def apply(document, version):
                device.report({"interval": document.get("interval"), "echo": f"version {version}"})
                # Version 0 is the empty document that a new device is greeted with.
                if version:
                    self._applied.put((document, version))

            device.on_desired(apply)
            device.connect(PATIENCE)
            device.report({"firmware": "1.4.2", "temperature": 21.4})
            self._over.wait()


@contextmanager
def running_device(portal, tmp_path, serial_number, **kw):
    device = RunningDevice(portal.url, serial_number, tmp_path / f"{serial_number}.json", **kw).start()
    try:
        yield device
    finally:
        device.stop()
