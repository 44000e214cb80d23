"""Whatever waits goes into one call."""

import asyncio

import pytest

from portal.lib.batch import Batcher


class Flush:
    """Doubles numbers, once it is allowed to."""

    def __init__(self):
        self.batches = []
        self.allowed = asyncio.Event()

    async def __call__(self, items):
        self.batches.append(list(items))
        await self.allowed.wait()
        return [item * 2 if item >= 0 else ValueError(item) for item in items]


async def test_what_comes_during_a_flush_goes_into_the_next_together():
    flush = Flush()
    batcher = Batcher(flush, limit=100)
    tasks = [asyncio.create_task(batcher.submit(0))]
    await asyncio.sleep(0.01)
    tasks += [asyncio.create_task(batcher.submit(number)) for number in range(1, 6)]
    await asyncio.sleep(0.01)
    flush.allowed.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10]
    assert flush.batches == [[0], [1, 2, 3, 4, 5]]


async def test_a_batch_has_at_most_so_many():
    flush = Flush()
    flush.allowed.set()
    batcher = Batcher(flush, limit=3)
    assert await asyncio.gather(*(batcher.submit(number) for number in range(7))) == list(range(0, 14, 2))
    assert [len(batch) for batch in flush.batches] == [3, 3, 1]


async def test_one_bad_item_fails_alone():
    flush = Flush()
    flush.allowed.set()
    batcher = Batcher(flush, limit=10)
    outcomes = await asyncio.gather(*(batcher.submit(number) for number in (1, -1, 2)), return_exceptions=True)
    assert outcomes[0] == 2 and outcomes[2] == 4
    assert isinstance(outcomes[1], ValueError)


async def test_a_flush_that_fails_fails_each_of_its_callers_and_no_later_one():
    failing = True

    async def flush(items):
        if failing:
            raise OSError("away")
        return items

    batcher = Batcher(flush, limit=10)
    outcomes = await asyncio.gather(*(batcher.submit(number) for number in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    failing = False
    assert await batcher.submit(1) == 1


async def test_a_caller_that_gave_up_harms_nobody():
    flush = Flush()
    batcher = Batcher(flush, limit=10)
    tasks = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    flush.allowed.set()
    assert [await tasks[0], await tasks[2]] == [0, 4]
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]


async def test_so_many_flushes_as_there_are_flights_are_under_way_at_once():
    flush = Flush()
    batcher = Batcher(flush, limit=1, flights=2)
    tasks = [asyncio.create_task(batcher.submit(number)) for number in range(5)]
    await asyncio.sleep(0.01)
    assert flush.batches == [[0], [1]]
    flush.allowed.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]


async def test_nobody_is_forgotten_whenever_they_come():
    async def flush(items):
        await asyncio.sleep(0)
        return items

    batcher = Batcher(flush, limit=3, flights=2)

    async def one(number):
        for _ in range(number % 7):
            await asyncio.sleep(0)
        return await batcher.submit(number)

    assert await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(500))), 10) == list(range(500))
