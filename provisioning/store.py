"""Statements on many enrolments at once, for PostgreSQL and SQLite: the one place that knows the difference."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from portal.lib.clock import now
from provisioning.models import Enrolment, lifetime
from provisioning.states import EnrolmentState

_NOTED_EVERY = timedelta(seconds=30)

# Their condition begins with that of the index enrolment_one_open_per_poller, to the letter. They give a poll's place
# among the polls, so that little has to be carried over.
_POSTGRESQL = """
    SELECT k.place, e.id, e.public_id::text, e.last_polled_at < %s
    FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS k (serial_key, poller_digest, network, place)
    JOIN provisioning_enrolment e ON e.serial_key = k.serial_key AND e.poller_digest = k.poller_digest
    WHERE e.state IN ('waiting', 'unlocked') AND e.state = 'waiting' AND e.match_number = ''
    AND e.last_polled_at > %s AND coalesce(host(e.network), '') = k.network
"""
_SQLITE = """
    SELECT k.key + 1, e.id, e.public_id, e.last_polled_at < %s
    FROM json_each(%s) AS k
    JOIN provisioning_enrolment e
    ON e.serial_key = json_extract(k.value, '$[0]') AND e.poller_digest = json_extract(k.value, '$[1]')
    WHERE e.state IN ('waiting', 'unlocked') AND e.state = 'waiting' AND e.match_number = ''
    AND e.last_polled_at > %s AND coalesce(e.network, '') = json_extract(k.value, '$[2]')
"""


@dataclass(frozen=True, slots=True)
class PollKey:
    """What a poll is looked up by, and the network it came from."""

    serial_key: str
    poller_digest: str
    network: str | None


@dataclass(frozen=True, slots=True)
class PendingRow:
    """An enrolment that waits; `is_due`: that its device still polls has to be noted again."""

    id: int
    public_id: str
    is_due: bool


def find_pending(*, keys: Sequence[PollKey]) -> list[PendingRow | None]:
    """For each poll the enrolment that waits with nothing to tell the device and nothing to change but that it was
    heard of, or None. One query, whatever their number.
    """
    answers: list[PendingRow | None] = [None] * len(keys)
    with connection.cursor() as cursor:
        cursor.execute(*_statement(keys, now()))
        for place, *columns in cursor.fetchall():
            answers[place - 1] = PendingRow(*columns)
    return answers


def note_polls(*, ids: Sequence[int]) -> None:
    """Note that these devices still poll: one statement, whatever their number."""
    Enrolment.objects.filter(pk__in=set(ids), state=EnrolmentState.WAITING).update(last_polled_at=now())


def _statement(keys: Sequence[PollKey], moment: datetime) -> tuple[str, list[Any]]:
    noted, alive = moment - _NOTED_EVERY, moment - lifetime()
    serials, digests = [key.serial_key for key in keys], [key.poller_digest for key in keys]
    networks = [key.network or "" for key in keys]
    if connection.vendor == "postgresql":
        return _POSTGRESQL, [noted, serials, digests, networks, alive]
    triples = json.dumps(list(zip(serials, digests, networks, strict=True)))
    return _SQLITE, [_sqlite_time(noted), triples, _sqlite_time(alive)]


def _sqlite_time(moment: datetime) -> str:
    """As Django writes times to SQLite, where they are compared as text."""
    return str(connection.ops.adapt_datetimefield_value(moment))
