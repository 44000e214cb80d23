"""A day under attack: guessers with 1, 100 and 10,000 accounts stay under the wished hit chance, and honest people get
their devices in.

The guessers do what is best for them: each account tries as often as it is let, waits exactly as long as it is told,
names serial numbers (which are no secret) when a code alone is not enough, and, at worst, has a reputation from devices
of its own. Hits are too rare to be counted (one in ten thousand days is what is wished), so what is summed up is the
true chance of each try that was looked at; a smaller alphabet, where hits are common, shows that this sum is right.
"""

import heapq
import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from devices.errors import TooManyRequests
from provisioning import budget
from provisioning.budget import SPACE, UNIT, EntryKind, Record, Refusal, Stage, decide, hit_chance
from provisioning.errors import CodeNotUsable, MatchNumberNeeded, SerialNumberNeeded
from provisioning.guess_models import EntryCount
from provisioning.services import guesses
from provisioning.services.guesses import check_entry, guess_budget_status, note_wrong
from tests.base import make_code, make_statement, make_tenant, make_user, poll

WISHED = 1e-4
DAY = 86_400
TYPOS = 0.02
RUN = 60  # seconds of the run against the database: later an account has ever fewer tries


class Refused(Exception):
    def __init__(self, refusal, retry_after):
        super().__init__(refusal)
        self.refusal, self.retry_after = refusal, retry_after


@dataclass(slots=True)
class Person:
    tenant: "Tenant"
    booked: int = 0
    wrong: int = 0
    right: int = 0
    last: float | None = None


@dataclass(slots=True)
class Tenant:
    booked: int = 0
    right: int = 0


@dataclass
class Books:
    """The books of one day in memory, kept as provisioning.services.guesses keeps them; the decisions are its own."""

    live: int
    wished: float = WISHED
    space: int = SPACE
    booked: int = 0
    stages: Counter = field(default_factory=Counter)

    def enter(self, person, kind, moment):
        """Gives the verdict on an entry, booked as wrong; raises Refused."""
        record = Record(
            user=person.booked,
            tenant=person.tenant.booked,
            portal=self.booked,
            wrong=person.wrong,
            right=person.right,
            idle=None if person.last is None else moment - person.last,
            is_known=bool(person.right or person.tenant.right),
        )
        verdict = decide(record, self.live, self.wished, kind, space=self.space)
        if verdict.refusal is not None:
            raise Refused(verdict.refusal, verdict.retry_after)
        self._book(person, verdict.chance)
        person.wrong += 1
        person.last = moment
        self.stages[verdict.stage] += 1
        return verdict

    def right(self, person, verdict):
        self._book(person, -verdict.chance)
        person.wrong -= 1
        person.right += 1
        person.tenant.right += 1

    def _book(self, person, chance):
        person.booked += chance
        person.tenant.booked += chance
        self.booked += chance


def true_chance(verdict, kind, live, space=SPACE):
    """What a random code had for a chance to let a stranger's device in, with a random match number where needed."""
    targets = 1 if kind == EntryKind.NAMED_CODE else live
    return targets / space / (100 if verdict.needs_match_number else 1)


class Gang:
    """Guessers who tell each other at once what they met: while a code alone was refused just now, nobody tries one."""

    def __init__(self, *, names):
        self._names, self._hopeless_until = names, 0.0

    def guess(self, books, person, moment):
        """One try, as good as it is let. Gives its true chance, and when to come again."""
        if moment >= self._hopeless_until:
            try:
                return self._enter(books, person, EntryKind.CODE, moment)
            except Refused as refused:
                if refused.refusal == Refusal.OWN_COUNT:
                    return 0.0, moment + refused.retry_after
                self._hopeless_until = moment + 60
        if not self._names:
            # Refusals tell nothing; there is always another of the gang to notice when a code alone will do again.
            return 0.0, moment + 3_600
        try:
            return self._enter(books, person, EntryKind.NAMED_CODE, moment)
        except Refused as refused:
            return 0.0, moment + refused.retry_after

    @staticmethod
    def _enter(books, person, kind, moment):
        return true_chance(books.enter(person, kind, moment), kind, books.live, books.space), moment + 1


@dataclass
class Honest:
    """What became of people who entered the codes of devices in front of them."""

    entries: int = 0
    failed: int = 0
    asked_for_serial: int = 0
    asked_for_match_number: int = 0
    waited: int = 0

    @property
    def success(self):
        return 1 - self.failed / self.entries


def let_in_honestly(books, person, moment, outcome, dice):
    """A person types a code, now and then wrongly; names the serial number and the match number when asked.

    The code lives for five minutes; what is not done by then failed.
    """
    deadline, kind = moment + 300, EntryKind.CODE
    outcome.entries += 1
    while moment < deadline:
        is_typo = dice.random() < TYPOS
        try:
            verdict = books.enter(person, kind, moment)
        except Refused as refused:
            if refused.refusal == Refusal.OWN_COUNT:
                outcome.waited += 1
                moment += refused.retry_after
                continue
            outcome.asked_for_serial += 1
            kind, moment = EntryKind.NAMED_CODE, moment + 20
            continue
        if is_typo:
            moment += 15
            continue
        books.right(person, verdict)
        outcome.asked_for_match_number += verdict.needs_match_number
        return
    outcome.failed += 1


def attack(*, live, accounts, names, known=False, seed=1):
    """A whole day. Gives the guessers' expected hits, how many tries they had, what became of honest people."""
    dice, books, honest, gang = random.Random(seed), Books(live), Honest(), Gang(names=names)  # noqa: S311
    guessers = [Person(Tenant(), right=1_000 if known else 0) for _ in range(accounts)]
    tenants = [Tenant() for _ in range(20)]
    people = [Person(tenants[n % 20]) for n in range(400)]
    number = itertools.count()
    events = [(dice.uniform(0, 60), next(number), guesser) for guesser in guessers]
    events += [(dice.uniform(0, DAY - 600), next(number), None) for _ in range(4_000)]
    heapq.heapify(events)
    expected, tries = 0.0, 0
    while events and events[0][0] < DAY:
        moment, _, guesser = heapq.heappop(events)
        if guesser is None:
            let_in_honestly(books, dice.choice(people), moment, honest, dice)
            continue
        chance, again = gang.guess(books, guesser, moment)
        expected, tries = expected + chance, tries + (chance > 0)
        heapq.heappush(events, (again, next(number), guesser))
    return expected, tries, honest, books


@pytest.mark.parametrize(
    ("live", "accounts", "names", "known"),
    [
        *itertools.product([1_000, 10_000], [1, 100], [False, True], [False, True]),
        (1_000, 10_000, False, False),
        (1_000, 10_000, True, False),
        (10_000, 10_000, False, False),
        (10_000, 10_000, True, True),
    ],
)
def test_guessers_stay_under_the_wished_chance_and_honest_people_get_through(
    record_property, live, accounts, names, known
):
    expected, tries, honest, books = attack(live=live, accounts=accounts, names=names, known=known)
    record_property("numbers", f"hits {expected:.3g} of {WISHED:g}, {tries} tries, {honest}")
    assert tries >= accounts or not names
    assert expected <= books.booked / UNIT * (1 + 1e-9)
    # What devices may poll comes on top.
    assert expected + budget.DEVICE_SHARE * WISHED <= WISHED
    assert honest.entries == 4_000 and honest.success >= 0.999


def test_without_an_attack_nobody_is_asked_for_anything_with_few_live_codes():
    _, _, honest, books = attack(live=100, accounts=0, names=False)
    assert honest.failed == honest.asked_for_serial == honest.asked_for_match_number == honest.waited == 0
    assert set(books.stages) == {Stage.OPEN}


def test_the_chance_of_a_stranger_who_only_polls_is_within_the_devices_share():
    for live in (10, 1_000, 10_000):
        booked = 0
        while budget.admits_device(booked, live, WISHED):
            booked += hit_chance(live)
        assert booked <= budget.DEVICE_SHARE * WISHED * UNIT


def test_hits_are_as_frequent_as_the_books_say_where_they_can_be_counted():
    """A small alphabet: three symbols instead of six. Real random codes against real live codes, over many days."""
    space, live, wished, days = 31**3, 10, 0.05, 3_000
    dice = random.Random(7)  # noqa: S311  a dice, no secret
    books = Books(live, wished=wished, space=space)
    guessers = [Person(Tenant()) for _ in range(10)]
    events = [(float(n), n) for n in range(len(guessers))]
    verdicts = []
    while events and events[0][0] < DAY:
        moment, n = heapq.heappop(events)
        try:
            verdicts.append(books.enter(guessers[n], EntryKind.CODE, moment))
            heapq.heappush(events, (moment + 1, n))
        except Refused as refused:
            heapq.heappush(events, (moment + refused.retry_after, n))
    needs = [verdict.needs_match_number for verdict in verdicts]
    assert any(needs) and not all(needs)
    expected = sum(true_chance(verdict, EntryKind.CODE, live, space) for verdict in verdicts)
    hits = sum(_hits_of_one_day(dice, needs, space, live) for _ in range(days))
    # Four standard deviations of a Poisson count.
    assert abs(hits - expected * days) <= 4 * (expected * days) ** 0.5
    assert hits / days <= wished * budget.PEOPLE_SHARE + 4 * (expected / days) ** 0.5
    assert 0.5 * wished * budget.PEOPLE_SHARE * budget.STEP_UP_AT < expected <= wished * budget.PEOPLE_SHARE


def _hits_of_one_day(dice, needs, space, live):
    codes = set(dice.sample(range(space), live))
    return sum(dice.randrange(space) in codes and (not needed or dice.randrange(100) == 42) for needed in needs)


# The same with the database: the service, its rows, and the claims themselves.


@pytest.fixture
def _thousand_live(monkeypatch):
    monkeypatch.setattr(guesses, "count_live_codes", lambda: 1_000)


@pytest.mark.django_db
@pytest.mark.usefixtures("_thousand_live")
def test_a_hundred_accounts_against_the_database(record_property, moved_clock):
    """A minute of a hundred accounts in as many tenants, among them people who let real devices in."""
    dice, begin, number, gang = random.Random(3), moved_clock.moment, itertools.count(), DatabaseGang()  # noqa: S311
    workers = [make_user(f"worker{n}") for n in range(10)]
    home = make_tenant("home")
    events = [(dice.uniform(0, 5), next(number), account) for account in range(1_000_001, 1_000_101)]
    events += [(dice.uniform(0, RUN), next(number), worker) for worker in workers for _ in range(5)]
    heapq.heapify(events)
    expected, tries, let_in = 0.0, 0, 0
    while events and events[0][0] < RUN:
        moment, _, who = heapq.heappop(events)
        moved_clock.moment = max(moved_clock.moment, begin + timedelta(seconds=moment))
        if not isinstance(who, int):
            let_in += _let_in_on_the_database(who, home, dice)
            continue
        chance, again = gang.guess(who, moment)
        expected, tries = expected + chance, tries + (chance > 0)
        heapq.heappush(events, (again, next(number), who))
    status = guess_budget_status()
    record_property(
        "numbers", f"hits {expected:.3g} of {WISHED:g}, {tries} tries, {let_in} of 50, {status.stage.label}"
    )
    assert tries >= 1_400 and let_in == 50
    assert expected <= status.hit_chance <= WISHED * (1 - budget.DEVICE_SHARE)
    # One row an hour for each source, however many tries there were.
    assert EntryCount.objects.count() <= 2 * (2 * 100 + len(workers) + 2)
    assert [source.is_paused for source in status.worst] == [False] * 5


class DatabaseGang:
    """As Gang, against the service."""

    def __init__(self):
        self._hopeless_until = 0.0

    def guess(self, account, moment):
        kind = EntryKind.CODE if moment >= self._hopeless_until else EntryKind.NAMED_CODE
        try:
            admission = check_entry(user_id=account, tenant_id=account, kind=kind)
        except SerialNumberNeeded:
            self._hopeless_until = moment + 60
            return 0.0, moment
        except TooManyRequests as refused:
            return 0.0, moment + refused.retry_after
        note_wrong(admission)
        return true_chance(admission, kind, 1_000), moment + 1


def _let_in_on_the_database(worker, tenant, dice):
    """A worker in front of a device: types its code, what else is asked for, and slips now and then."""
    from devices.actors import Actor
    from portal.entries import counted_entry
    from provisioning.services.claims import claim_by_code

    statement = make_statement()
    code, serial, number = make_code(statement).code, "", ""
    for _ in range(8):
        typed = "2222ZZ" if dice.random() < TYPOS else code
        try:
            with counted_entry(user_id=worker.pk, tenant_id=tenant.pk, entry=typed, serial_number=serial) as admission:
                claim_by_code(
                    code=typed,
                    serial_number=serial,
                    match_number=number,
                    is_stepped_up=admission.needs_match_number,
                    tenant=tenant,
                    actor=Actor.user(worker.pk),
                )
            return True
        except MatchNumberNeeded:
            number = poll(statement).match_number
        except SerialNumberNeeded:
            serial = statement.serial_number
        except CodeNotUsable:
            continue
    return False


def test_a_right_entry_of_a_known_person_is_not_booked():
    books, person = Books(1_000), Person(Tenant())
    books.right(person, books.enter(person, EntryKind.CODE, 0.0))
    assert (books.booked, person.booked, person.tenant.booked, person.wrong, person.right) == (0, 0, 0, 0, 1)
