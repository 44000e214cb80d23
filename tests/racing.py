"""Many threads that do one thing at the same moment."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from django.db import connections


def race(contestants):
    """Calls all of them at once; gives what each returned, or the exception it raised."""
    contestants = list(contestants)
    barrier = threading.Barrier(len(contestants))

    def run(contestant):
        barrier.wait()
        try:
            return contestant()
        except Exception as error:  # noqa: BLE001  the outcome of losing
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(contestants)) as pool:
        return list(pool.map(run, contestants))


def kinds(outcomes):
    """How often each kind of outcome came."""
    return Counter(type(outcome) for outcome in outcomes)
