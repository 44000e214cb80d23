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


def find_pending(*, keys: Sequence[PollKey]) -> list[str | None]:
    """For each poll the id of the enrolment that waits with nothing to tell the device and nothing to change but that
    it was heard of, or None. One query, whatever their number.

    That a device still polls is noted on the way, for all that need it in one statement.
    """
    moment = now()
    answers: list[str | None] = [None] * len(keys)
    due: set[int] = set()
    with connection.cursor() as cursor:
        cursor.execute(*_statement(keys, moment))
        for place, pk, public_id, is_due in cursor.fetchall():
            answers[place - 1] = public_id
            if is_due:
                due.add(pk)
    if due:
        Enrolment.objects.filter(pk__in=due, state=EnrolmentState.WAITING).update(last_polled_at=moment)
    return answers


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
