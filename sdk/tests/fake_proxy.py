"""A proxy that speaks CONNECT and nothing else."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress


class FakeProxy:
    def __init__(self) -> None:
        self.targets: list[str] = []
        self.users: list[str] = []
        self.answer = "200 Connection established"
        self._tasks: set[asyncio.Task] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> FakeProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            await self._tunnel(reader, writer)
        finally:
            await _close(writer)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, *_ = head.split()
        assert method == "CONNECT"
        self.targets.append(target)
        self.users.append(base64.b64decode(head.split("Proxy-Authorization: Basic ")[1].split()[0]).decode())
        writer.write(f"HTTP/1.1 {self.answer}\r\n\r\n".encode())
        if self.answer.startswith("200"):
            answers, upstream = await asyncio.open_connection(*target.rsplit(":", 1))
            try:
                await asyncio.gather(_copy(reader, upstream), _copy(answers, writer))
            finally:
                await _close(upstream)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
