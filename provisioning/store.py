"""Statements on many enrolments at once, for PostgreSQL and SQLite: the one place that knows the difference."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from portal.lib.clock import now
from provisioning.models import Enrolment, lifetime
from provisioning.states import EnrolmentState

_NOTED_EVERY = timedelta(seconds=30)

# Their condition begins with that of the index enrolment_one_open_per_poller, to the letter.
_POSTGRESQL = """
    SELECT e.id, e.public_id, e.serial_key, e.poller_digest, e.last_polled_at, e.network
    FROM unnest(%s::text[], %s::text[]) AS k (serial_key, poller_digest)
    JOIN provisioning_enrolment e ON e.serial_key = k.serial_key AND e.poller_digest = k.poller_digest
    WHERE e.state IN ('waiting', 'unlocked') AND e.state = 'waiting' AND e.match_number = ''
"""
_SQLITE = """
    SELECT e.id, e.public_id, e.serial_key, e.poller_digest, e.last_polled_at, e.network
    FROM json_each(%s) AS k
    JOIN provisioning_enrolment e
    ON e.serial_key = json_extract(k.value, '$[0]') AND e.poller_digest = json_extract(k.value, '$[1]')
    WHERE e.state IN ('waiting', 'unlocked') AND e.state = 'waiting' AND e.match_number = ''
"""


@dataclass(frozen=True, slots=True)
class PollKey:
    """What a poll is looked up by, and the network it came from."""

    serial_key: str
    poller_digest: str
    network: str | None


@dataclass(frozen=True, slots=True)
class PendingRow:
    id: int
    public_id: uuid.UUID
    last_polled_at: datetime
    network: str | None


def find_pending(*, keys: Sequence[PollKey]) -> list[PendingRow | None]:
    """For each poll the enrolment that waits with nothing to tell the device, or None. One query, whatever their
    number.

    That a device still polls is noted on the way, for all that need it in one statement.
    """
    rows = _select({(key.serial_key, key.poller_digest) for key in keys})
    moment = now()
    answers: list[PendingRow | None] = []
    due: set[int] = set()
    for key in keys:
        row = rows.get((key.serial_key, key.poller_digest))
        if row is None or row.network != key.network or row.last_polled_at <= moment - lifetime():
            answers.append(None)
            continue
        answers.append(row)
        if moment - row.last_polled_at > _NOTED_EVERY:
            due.add(row.id)
    if due:
        Enrolment.objects.filter(pk__in=due, state=EnrolmentState.WAITING).update(last_polled_at=moment)
    return answers


def _select(pairs: set[tuple[str, str]]) -> dict[tuple[str, str], PendingRow]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL, [[pair[0] for pair in pairs], [pair[1] for pair in pairs]])
        else:
            cursor.execute(_SQLITE, [json.dumps(list(pairs))])
        return {(row[2], row[3]): _row(*row) for row in cursor.fetchall()}


def _row(pk: int, public_id: Any, serial_key: str, poller_digest: str, last_polled_at: Any, network: Any) -> PendingRow:
    if connection.vendor == "sqlite":
        public_id = uuid.UUID(public_id)
        last_polled_at = datetime.fromisoformat(f"{last_polled_at}+00:00")
    return PendingRow(pk, public_id, last_polled_at, str(network) if network is not None else None)
