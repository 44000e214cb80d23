"""Natural micro-batching: whatever waits goes into one call. No timers.

While one flush runs, the next batch gathers; so a lone caller waits for nobody, and a thousand callers share one
transaction.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Collects the items of concurrent callers for `flush`, which answers them in their order. So many flushes as there
    are `flights` may be under way at once: more than one only where their order does not matter.

    One that fails for all of them fails each caller with its exception. An element of the answer that is an exception
    fails only the caller it belongs to.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        limit: int,
        flights: int = 1,
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._flights = flights
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._runners: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """The result for one item, once the flush that holds it is done."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._runners) < self._flights:
            self._runners.add(asyncio.create_task(self._run()))
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._settle(batch)
        finally:
            # At once: an item that comes before the task counts as done must find that nobody runs.
            self._runners.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  it is not handled here, but by each caller
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            # A caller that was cancelled meanwhile wants nothing any more.
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
