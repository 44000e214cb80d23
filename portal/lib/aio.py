"""The one bridge from async code to the database.

`database_sync_to_async` would run all database work of a process on one thread; here it runs on as many as the
connection budget allows (DATABASE_THREADS).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings

T = TypeVar("T")


async def run_db(function: Callable[..., T], **kwargs: Any) -> T:
    """Run a synchronous service with a database connection of its own, without blocking the loop."""
    result: T = await database_sync_to_async(function, thread_sensitive=False, executor=_executor())(**kwargs)
    return result


@cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.DATABASE_THREADS, thread_name_prefix="db")
