"""Many people at the same moment: nobody's try escapes the books, and a match number has one try."""

from functools import partial

import pytest

from devices.actors import Actor
from devices.models import Device
from provisioning import budget
from provisioning.errors import MatchNumberNeeded, MatchNumberWrong
from provisioning.guess_models import EntryCount
from provisioning.services import guesses
from provisioning.services.claims import claim_by_code
from provisioning.services.guesses import check_device_code, check_entry, note_right
from tests.base import make_code, make_statement, make_user
from tests.racing import race


@pytest.fixture
def _many_live(monkeypatch):
    monkeypatch.setattr(guesses, "count_live_codes", lambda: 1_500)
    monkeypatch.setattr(guesses, "_count_pollable_codes", lambda: 1_500)


@pytest.fixture
def empty_books(live_cast):
    EntryCount.objects.all().delete()
    yield
    EntryCount.objects.all().delete()


@pytest.mark.usefixtures("empty_books", "_many_live")
def test_of_many_people_at_once_none_escapes_the_books():
    users = [make_user(f"guesser{n}") for n in range(24)]
    outcomes = race([partial(check_entry, user_id=user.pk) for user in users])
    admissions = [outcome for outcome in outcomes if isinstance(outcome, guesses.Admission)]
    assert len(admissions) == len(users)
    booked = sum(admission.chance for admission in admissions)
    assert booked == EntryCount.objects.get(scope="people").chance
    alone = [admission for admission in admissions if not admission.needs_match_number]
    limit = budget.units(1e-4) * budget.PEOPLE_SHARE * budget.STEP_UP_AT
    assert len(alone) == limit // budget.hit_chance(1_500)


@pytest.mark.usefixtures("empty_books", "_many_live")
def test_of_many_unknown_codes_polled_at_once_no_more_are_answered_than_fit():
    polls = [partial(check_device_code, code="222222", poller=make_statement().poller, network="x") for _ in range(24)]
    answered = [outcome for outcome in race(polls) if outcome is None]
    assert len(answered) == budget.units(1e-4) * budget.DEVICE_SHARE // budget.hit_chance(1_500)


@pytest.mark.usefixtures("empty_books", "_many_live")
def test_many_right_entries_at_once_leave_nothing_booked():
    users = [make_user(f"right{n}") for n in range(12)]

    def enter(user):
        for _ in range(3):
            note_right(check_entry(user_id=user.pk, tenant_id=1))

    assert race([partial(enter, user) for user in users]) == [None] * len(users)
    for row in EntryCount.objects.all():
        assert (row.wrong, row.chance) == (0, 0)
    assert sum(row.right for row in EntryCount.objects.filter(scope="people")) == 36


def test_all_hundred_match_numbers_at_once_are_one_try(live_cast):
    """Whatever is decided first decides, so that hurrying gains a guesser nothing."""
    code = make_code(make_statement()).code
    tries = partial(
        claim_by_code, code=code, tenant=live_cast.tenant_a, is_stepped_up=True, actor=Actor.user(live_cast.bob.pk)
    )
    with pytest.raises(MatchNumberNeeded):
        tries()
    outcomes = race([partial(tries, match_number=f"{number:02d}") for number in range(0, 100, 5)])
    decided = [outcome for outcome in outcomes if isinstance(outcome, Device | MatchNumberWrong)]
    assert len(decided) == 1, outcomes
