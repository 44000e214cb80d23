"""Closed-loop HTTP load: so many connections, each of which asks again as soon as it was answered.

Started as a process of its own, `python -m benchmarks.load`, with a JSON object on stdin: port, path, connections,
seconds, status (the one that counts as right), content_type, body (with `{}` for its number), bodies (how many).
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, cast

from benchmarks.servers import LOAD_CORE, ROOT

_WARM_UP = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Load:
    """What was found: answers a second, milliseconds at the median and the 99th percentile, how many were wrong."""

    rate: float
    p50: float
    p99: float
    wrong: int


def measure(**plan: Any) -> Load:
    """Run the load in a process of its own, on a core of its own."""
    finished = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(plan),
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Load(**json.loads(finished.stdout))


class _Connection(asyncio.Protocol):
    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        if not _is_whole(self._buffer, head):
            return
        self._run.note(time.perf_counter() - self._asked, self._buffer)
        self._buffer = b""
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._run.next_request())


def _is_whole(answer: bytes, head: int) -> bool:
    """Whether the body is all there, be it of a length that was announced or in chunks."""
    headers = answer[:head].lower() + b"\r\n"
    start = headers.find(b"content-length:")
    if start < 0:
        return answer.endswith(b"\r\n0\r\n\r\n")
    return len(answer) >= head + 4 + int(headers[start + 15 : headers.find(b"\r\n", start)])


class _Run:
    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._numbers = itertools.count()
        self._right = f"HTTP/1.1 {plan['status']} ".encode()
        self.times: list[float] = []
        self.wrong = 0

    def next_request(self) -> bytes:
        plan = self._plan
        number = next(self._numbers) % plan["bodies"]
        body: bytes = plan["body"].replace("{}", str(number)).encode()
        head = (
            f"POST {plan['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {plan['content_type']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def note(self, seconds: float, answer: bytes) -> None:
        self.times.append(seconds)
        self.wrong += not answer.startswith(self._right)

    async def run(self) -> Load:
        loop = asyncio.get_running_loop()
        for _ in range(self._plan["connections"]):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._plan["port"])
        await asyncio.sleep(_WARM_UP)
        self.times.clear()
        started = time.perf_counter()
        await asyncio.sleep(self._plan["seconds"])
        elapsed, times = time.perf_counter() - started, sorted(self.times)
        p50, p99 = (1000 * times[int(len(times) * share)] for share in (0.5, 0.99))
        return Load(len(times) / elapsed, p50, p99, self.wrong)


def _main() -> None:
    import uvloop

    if LOAD_CORE is not None:
        os.sched_setaffinity(0, LOAD_CORE)
    load = uvloop.run(_Run(json.loads(sys.stdin.read())).run())
    print(json.dumps({name: getattr(load, name) for name in load.__slots__}))


if __name__ == "__main__":
    _main()
