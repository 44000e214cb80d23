"""Keeping the books of the guess budget. What they mean is decided in provisioning.budget.

An entry is booked as wrong before anybody looks whether it is right, in a transaction of its own, and taken back when
it was. So neither a crash nor many entries at once give anybody a try that is not booked. The people's rows of the last
day are locked meanwhile: whoever comes at the same moment reads what was booked just before.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, Sum

from devices.errors import TooManyRequests
from portal.lib.clock import now
from portal.lib.logs import log_event
from portal.lib.tokens import matches
from provisioning import budget
from provisioning.budget import EntryKind, Record, Refusal, Stage, Verdict
from provisioning.errors import SerialNumberNeeded
from provisioning.guess_models import CountScope, EntryCount, EntryCountQuerySet
from provisioning.models import ProvisioningCode
from provisioning.pollers import Poller, PollerKind
from provisioning.services.codes import find_code

logger = logging.getLogger(__name__)

# Hours overlap the moment's day a little: what counts as today may be an hour more than a day, never less.
DAY = timedelta(days=1)
# Who entered a right code within this time is known.
KNOWN_FOR = timedelta(days=7)
KEPT_FOR = KNOWN_FOR + DAY
_BATCH = 1000
_LIVE_CODES_KEPT = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Admission:
    """An entry that may be looked at, booked as wrong so far."""

    user_id: int
    tenant_id: int | None
    kind: EntryKind
    hour: datetime
    chance: int
    needs_match_number: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A person, by the wrong entries of the last day."""

    user_id: int
    wrong: int
    wrong_serials: int
    chance: float
    is_paused: bool


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """The gauge. Chances are of the last day: what was booked bounds the chance that anything was hit."""

    live_codes: int
    wrong_today: int
    wrong_serials_today: int
    hit_chance: float
    wished: float
    stage: Stage
    allowed_wrong: int
    allowed_wrong_with_match_number: int
    worst: list[Source] = field(default_factory=list)


def check_entry(*, user_id: int, tenant_id: int | None = None, kind: EntryKind = EntryKind.CODE) -> Admission:
    """Let an entry be looked at, and book it as wrong until `note_right` or `take_back` say otherwise.

    Raises TooManyRequests when this person was wrong too often, SerialNumberNeeded (which is one too) when a code alone
    is not enough at the moment. Neither depends on whether the entry is right.
    """
    # A first look without the lock: those who are refused anyhow shall hold up nobody.
    _refuse(_verdict(user_id, tenant_id, kind))
    with transaction.atomic(durable=True):
        hour = _this_hour()
        rows = _rows_of(user_id, tenant_id)
        _make_rows(rows, hour)
        _lock_people()
        verdict = _verdict(user_id, tenant_id, kind)
        if verdict.refusal is None:
            column = _column(kind)
            EntryCount.objects.filter(_any_of(rows), hour=hour).update(
                **{column: F(column) + 1, "chance": F("chance") + verdict.chance, "last_entry_at": now()}
            )
    _refuse(verdict)
    return Admission(user_id, tenant_id, kind, hour, verdict.chance, verdict.needs_match_number)


def note_wrong(admission: Admission) -> None:
    """It was wrong, as booked."""
    log_event(
        logger, "wrong-entry", user=admission.user_id, tenant=admission.tenant_id, kind=admission.kind.value.split()[0]
    )


def note_right(admission: Admission) -> None:
    """It was right: take back what was booked, and remember that this person knows what they enter."""
    _settle(admission, right=1)


def take_back(admission: Admission) -> None:
    """It was not wrong, and led to nothing yet, such as a code that lacks its match number."""
    _settle(admission, right=0)


def needs_match_number() -> bool:
    """Whether the next entry of a code needs the device's match number, whoever enters it."""
    return current_stage() > Stage.OPEN


def current_stage() -> Stage:
    """The stage for somebody nobody knows, who has no wrong entry yet."""
    people = _booked(EntryCount.objects.of(CountScope.PEOPLE))
    return budget.stage_for(Record(portal=people), count_live_codes(), settings.GUESS_HIT_CHANCE)


def check_device_code(*, code: str, poller: Poller, network: str | None) -> None:
    """Raise TooManyRequests when a device polls with a code that may be guessed, and too many such were.

    A guess is a code that is unknown or another poller's; of a plain poller, also one that comes from another network
    than the device was heard from. What was guessed is not told: refused is refused. Others are never in the way.
    """
    if _is_own(find_code(code), poller, network):
        return
    live = _count_pollable_codes()
    chance = budget.hit_chance(live)
    with transaction.atomic(durable=True):
        hour, devices = _this_hour(), EntryCount.objects.of(CountScope.DEVICES)
        _make_rows([(CountScope.DEVICES, 0)], hour)
        today = devices.since(_day_start()).select_for_update().order_by("hour")
        booked = sum(today.values_list("chance", flat=True))
        is_admitted = budget.admits_device(booked, live, settings.GUESS_HIT_CHANCE)
        if is_admitted:
            devices.filter(hour=hour).update(wrong=F("wrong") + 1, chance=F("chance") + chance, last_entry_at=now())
    if not is_admitted:
        raise TooManyRequests("Poll with the serial number instead of the code.", retry_after=settings.POLL_INTERVAL)


def count_live_codes() -> int:
    """How many codes a guess could hit now. Remembered for two seconds: no attack keeps the database counting."""
    return _live_codes.read()


def guess_budget_status(*, worst: int = 5) -> BudgetStatus:
    """The gauge, with the users who entered most that was wrong within the last day."""
    today = EntryCount.objects.since(_day_start())
    sums = today.filter(scope__in=(CountScope.PEOPLE, CountScope.DEVICES)).aggregate(
        Sum("chance"), Sum("wrong"), Sum("wrong_serials")
    )
    live, wished = count_live_codes(), settings.GUESS_HIT_CHANCE
    return BudgetStatus(
        live_codes=live,
        wrong_today=sums["wrong__sum"] or 0,
        wrong_serials_today=sums["wrong_serials__sum"] or 0,
        hit_chance=(sums["chance__sum"] or 0) / budget.UNIT,
        wished=wished,
        stage=current_stage(),
        allowed_wrong=budget.allowed_wrong(live, wished),
        allowed_wrong_with_match_number=budget.allowed_wrong(live, wished, matched=True),
        worst=_worst_sources(today, worst),
    )


def purge_entry_counts() -> int:
    """Delete counts nothing is decided by any more. Batched; may be repeated and run beside itself."""
    deleted = 0
    while True:
        old = list(EntryCount.objects.filter(hour__lt=now() - KEPT_FOR).values_list("pk", flat=True)[:_BATCH])
        deleted += EntryCount.objects.filter(pk__in=old).delete()[0]
        if len(old) < _BATCH:
            return deleted


def _is_own(row: ProvisioningCode | None, poller: Poller, network: str | None) -> bool:
    if row is None or not matches(row.enrolment.poller_digest, poller.digest):
        return False
    return poller.kind != PollerKind.PLAIN or row.enrolment.network == network


def _verdict(user_id: int, tenant_id: int | None, kind: EntryKind) -> Verdict:
    return budget.decide(_record(user_id, tenant_id), count_live_codes(), settings.GUESS_HIT_CHANCE, kind)


def _record(user_id: int, tenant_id: int | None) -> Record:
    """One query, over at most eight days of three sources."""
    day = _day_start()
    sums: dict[str, Mapping[str, Any]] = {
        row["scope"]: row
        for row in EntryCount.objects.since(_this_hour() - KNOWN_FOR)
        .filter(_any_of(_rows_of(user_id, tenant_id)))
        .values("scope")
        .annotate(
            booked=Sum("chance", filter=Q(hour__gte=day), default=0),
            wrong_today=Sum("wrong", filter=Q(hour__gte=day), default=0),
            wrong_serials_today=Sum("wrong_serials", filter=Q(hour__gte=day), default=0),
            right_today=Sum("right", filter=Q(hour__gte=day), default=0),
            right_lately=Sum("right", default=0),
            last=Max("last_entry_at"),
        )
    }
    user, tenant = sums.get(CountScope.USER, {}), sums.get(CountScope.TENANT, {})
    last = user.get("last")
    return Record(
        user=user.get("booked", 0),
        tenant=tenant.get("booked", 0),
        portal=sums.get(CountScope.PEOPLE, {}).get("booked", 0),
        wrong=user.get("wrong_today", 0),
        wrong_serials=user.get("wrong_serials_today", 0),
        right=user.get("right_today", 0),
        idle=(now() - last).total_seconds() if last is not None else None,
        is_known=bool(user.get("right_lately") or tenant.get("right_lately")),
    )


def _refuse(verdict: Verdict) -> None:
    match verdict.refusal:
        case Refusal.OWN_COUNT:
            raise TooManyRequests("Too many wrong entries. Look at the device again.", retry_after=verdict.retry_after)
        case Refusal.SERIAL_NEEDED:
            raise SerialNumberNeeded("Too many codes are being guessed.", retry_after=verdict.retry_after)


def _settle(admission: Admission, *, right: int) -> None:
    column = _column(admission.kind)
    rows = EntryCount.objects.filter(_any_of(_rows_of(admission.user_id, admission.tenant_id)), hour=admission.hour)
    with transaction.atomic():
        # In the same order as whoever books: two at once must not wait for each other.
        _lock_people()
        rows.update(**{column: F(column) - 1, "chance": F("chance") - admission.chance, "right": F("right") + right})


def _column(kind: EntryKind) -> str:
    return "wrong_serials" if kind == EntryKind.SERIAL else "wrong"


def _rows_of(user_id: int, tenant_id: int | None) -> list[tuple[CountScope, int]]:
    rows = [(CountScope.PEOPLE, 0), (CountScope.USER, user_id)]
    return rows if tenant_id is None else [*rows, (CountScope.TENANT, tenant_id)]


def _any_of(rows: list[tuple[CountScope, int]]) -> Q:
    found = Q()
    for scope, source in rows:
        found |= Q(scope=scope, source=source)
    return found


def _make_rows(rows: list[tuple[CountScope, int]], hour: datetime) -> None:
    EntryCount.objects.bulk_create(
        [EntryCount(scope=scope, source=source, hour=hour) for scope, source in rows], ignore_conflicts=True
    )


def _lock_people() -> None:
    """All of the day's rows: around the full hour, the next one's first entry meets the last one of this."""
    people = EntryCount.objects.of(CountScope.PEOPLE).since(_day_start()).select_for_update().order_by("hour")
    list(people.values_list("pk", flat=True))


def _booked(rows: EntryCountQuerySet) -> int:
    booked: int = rows.since(_day_start()).aggregate(total=Sum("chance", default=0))["total"]
    return booked


def _worst_sources(today: EntryCountQuerySet, number: int) -> list[Source]:
    users = today.filter(scope=CountScope.USER).values("source")
    sums = users.annotate(w=Sum("wrong"), s=Sum("wrong_serials"), r=Sum("right"), c=Sum("chance"))
    return [
        Source(
            user_id=row["source"],
            wrong=row["w"],
            wrong_serials=row["s"],
            chance=row["c"] / budget.UNIT,
            is_paused=budget.is_paused(Record(wrong=row["w"], wrong_serials=row["s"], right=row["r"])),
        )
        for row in sums.filter(Q(w__gt=0) | Q(s__gt=0)).order_by("-c", "-w", "-s", "source")[:number]
    ]


def _this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


def _day_start() -> datetime:
    return _this_hour() - DAY


def _count_pollable_codes() -> int:
    """An upper bound: a redeemed code can be polled for one lifetime more."""
    recent = now() - 2 * timedelta(seconds=settings.PROVISIONING_CODE_LIFETIME)
    return ProvisioningCode.objects.filter(issued_at__gt=recent).count()


class _Remembered:
    """The number of live codes, counted anew when it is too old."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count, self._until = 0, 0.0

    def read(self) -> int:
        with self._lock:
            if time.monotonic() < self._until:
                return self._count
        count = ProvisioningCode.objects.redeemable(now()).count()
        with self._lock:
            self._count, self._until = count, time.monotonic() + _LIVE_CODES_KEPT
        return count

    def forget(self) -> None:
        with self._lock:
            self._until = 0.0


_live_codes = _Remembered()
