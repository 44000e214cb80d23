"""The request every waiting device repeats for ever, beside django-oauth-toolkit's and beside one query a request.

All on one PostgreSQL, ours with 100,000 waiting devices; one server process each on one core, 64 connections on
another; in turns.
Goal: 15 times oauth-toolkit's rate, twice what one query a request allows, 99 of 100 answers within 25 ms.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.environments import python_with
from benchmarks.load import Load, measure
from benchmarks.servers import manage, portal_on_uvicorn, postgres_beside, serving, stores

DEVICES = 100_000
ROUNDS = 5
SECONDS = 4
CONNECTIONS = 64
_SEED = """
from portal.lib.clock import now
from provisioning.models import Enrolment
moment = now()
rows = (
    Enrolment(serial_number=f"B-{n}", serial_key=f"B{n}", network="127.0.0.1", created_at=moment, last_polled_at=moment)
    for n in range(%d)
)
Enrolment.objects.bulk_create(rows, batch_size=5000)
"""
_DEVICE_GRANT = (
    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=benchmark&device_code=device-code-{}"
)


def main() -> None:
    with ExitStack() as running:
        environment = running.enter_context(stores())
        manage(environment, "migrate", "--verbosity=0")
        manage(environment, "shell", "--verbosity=0", "-c", _SEED % DEVICES)
        manage(environment, "shell", "--verbosity=0", "-c", _VACUUM)
        ports = {
            "gangway": running.enter_context(portal_on_uvicorn(environment, POLL_MINIMUM_INTERVAL="0")),
            "oauth-toolkit": running.enter_context(_oauth_toolkit(environment)),
            "one query": running.enter_context(_one_query(environment)),
        }
        loads = _rounds(ports)
    _report(loads)


_VACUUM = """
from django.db import connection
connection.cursor().execute("VACUUM ANALYZE provisioning_enrolment")
"""


def _rounds(ports: dict[str, int]) -> dict[str, list[Load]]:
    loads: dict[str, list[Load]] = {name: [] for name in ports}
    for number in range(ROUNDS):
        for name, port in ports.items():
            load = measure(port=port, connections=CONNECTIONS, seconds=SECONDS, **_plan(name))
            if load.wrong:
                raise SystemExit(f"{name} gave {load.wrong} wrong answers.")
            loads[name].append(load)
            print(
                f"round {number + 1}  {name:14} {load.rate:9,.0f}/s  p50 {load.p50:6.1f} ms  p99 {load.p99:6.1f} ms",
                flush=True,
            )
    return loads


def _plan(name: str) -> dict[str, object]:
    if name == "oauth-toolkit":
        form = "application/x-www-form-urlencoded"
        return {"path": "/o/token/", "status": 400, "content_type": form, "body": _DEVICE_GRANT, "bodies": 10_000}
    body = '{"serialNumber":"B-{}"}'
    path = "/api/v1/provisioning/poll"
    return {"path": path, "status": 202, "content_type": "application/json", "body": body, "bodies": DEVICES}


@contextmanager
def _oauth_toolkit(environment: dict[str, str]) -> Iterator[int]:
    # oauthlib 4 answers device authorization with 500.
    python = python_with(
        "oauth-toolkit",
        "django==5.2.19",
        "django-oauth-toolkit==3.4.1",
        "oauthlib==3.3.1",
        "gunicorn==27.0.1",
        "psycopg[binary]==3.3.9",
        "dj-database-url==3.1.2",
    )
    with postgres_beside(environment) as url:
        variables = {"DATABASE_URL": url}
        subprocess.run(  # noqa: S603
            [python, "benchmarks/peers/oauth_toolkit.py", "10000"], check=True, env=environment | variables
        )
        command = ("benchmarks/peers/gunicorn_on_port.py", "--threads", "16", "--chdir", "benchmarks/peers")
        with serving((*command, "oauth_toolkit:application"), variables, python) as port:
            yield port


@contextmanager
def _one_query(environment: dict[str, str]) -> Iterator[int]:
    python = python_with("one-query", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0", "asyncpg==0.32.0")
    command = (
        "-m",
        "uvicorn",
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--no-proxy-headers",
        "--log-level",
        "warning",
    )
    with serving((*command, "benchmarks.peers.one_query:application"), environment, python) as port:
        yield port


def _report(loads: dict[str, list[Load]]) -> None:
    def ratio(name: str) -> float:
        pairs = zip(loads["gangway"], loads[name], strict=True)
        return statistics.median(mine.rate / theirs.rate for mine, theirs in pairs)

    rate = statistics.median(load.rate for load in loads["gangway"])
    p99 = statistics.median(load.p99 for load in loads["gangway"])
    against = {name: round(ratio(name), 1) for name in ("oauth-toolkit", "one query")}
    print(f"median {rate:,.0f}/s, p99 {p99:.1f} ms, ratios {against}")
    result = {
        "name": "pending_poll",
        "value": round(rate),
        "unit": "polls/s",
        "against": "django-oauth-toolkit's pending poll",
        "ratio": against["oauth-toolkit"],
        "goal": ">= 15 x oauth-toolkit, >= 2 x one query a request, p99 <= 25 ms",
        "holds": against["oauth-toolkit"] >= 15 and against["one query"] >= 2 and p99 <= 25,
        "ratio_one_query": against["one query"],
        "p99_ms": round(p99, 1),
    }
    print(json.dumps(result))
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()
