"""Waiting until the portal answers."""

import asyncio
import time
from typing import Final

from portal.launch.errors import FAILED, LaunchError
from portal.launch.supervisor import Keeper

_PATIENCE: Final = 60.0
_DEATHS: Final = 3


async def until_answering(host: str, port: int, name: str, keeper: Keeper) -> None:
    """Returns when GET /healthz is answered; raises LaunchError when the server cannot stay up or stays silent.

    `name` is a name the portal answers to, whatever address it is reached by.
    """
    deadline = time.monotonic() + _PATIENCE
    while not await _answers(host, port, name):
        if keeper.deaths >= _DEATHS:
            raise LaunchError("The web server does not stay up; what it said is above.", status=FAILED)
        if time.monotonic() > deadline:
            raise LaunchError(f"The portal does not answer after {_PATIENCE:g} seconds.", status=FAILED)
        await asyncio.sleep(0.1)


async def _answers(host: str, port: int, name: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), 5)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return status.split(b" ")[1:2] == [b"200"]
