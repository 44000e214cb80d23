"""Runs fakeredis' TCP server: `python -m portal.launch.fake_redis PORT`."""

import signal
import sys
from types import FrameType

from fakeredis import TcpFakeServer


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Serves until SIGTERM."""
    signal.signal(signal.SIGTERM, _end)
    with TcpFakeServer(("127.0.0.1", int(sys.argv[1]))) as server:
        # Threads of connections that are still open must not keep the process from ending.
        server.daemon_threads = True
        server.block_on_close = False
        server.serve_forever()


if __name__ == "__main__":
    main()
