"""The arithmetic of the guess budget, without a database: provisioning.budget."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import budget
from provisioning.budget import (
    DEVICE_SHARE,
    LONGEST_WAIT,
    PEOPLE_SHARE,
    SPACE,
    STEP_UP_AT,
    UNIT,
    EntryKind,
    Record,
    Refusal,
    Stage,
    allowed_wrong,
    decide,
    free_wrong,
    hit_chance,
    own_wait,
    stage_for,
    stage_of,
    units,
    wait_after,
)

WISHED = 1e-4
LIVE = st.integers(0, 10**6)
BOOKED = st.integers(0, units(WISHED) * 2)
WISHES = st.floats(1e-9, 0.1)
KINDS = st.sampled_from([EntryKind.CODE, EntryKind.NAMED_CODE])
RECORDS = st.builds(
    Record,
    user=BOOKED,
    tenant=BOOKED,
    portal=BOOKED,
    wrong=st.integers(0, 200),
    wrong_serials=st.integers(0, 200),
    right=st.integers(0, 1000),
    idle=st.none() | st.floats(0, 2 * 86400),
    is_known=st.booleans(),
)


def test_the_numbers_of_the_design_document():
    assert SPACE == 31**6
    assert hit_chance(1_000) * 240 / UNIT == pytest.approx(0.00027, rel=0.01)
    assert hit_chance(10_000) * 7_200 / UNIT == pytest.approx(0.081, rel=0.01)
    assert hit_chance(1_000, matched=True) == math.ceil(hit_chance(1_000) / 100)
    assert allowed_wrong(1_000, WISHED) == 88
    assert allowed_wrong(10_000, WISHED) == 8
    assert allowed_wrong(1_000, WISHED, matched=True) == 8_875


def test_naming_the_serial_number_makes_the_number_of_live_codes_irrelevant():
    assert hit_chance(10_000, named=True) == hit_chance(1)
    assert hit_chance(0, named=True) == hit_chance(0) == 0


def test_without_live_codes_every_code_may_be_tried():
    assert allowed_wrong(0, WISHED) == SPACE


@given(LIVE, LIVE)
def test_more_live_codes_are_never_harder_to_hit(one, other):
    low, high = sorted((one, other))
    assert hit_chance(low) <= hit_chance(high) <= UNIT
    assert hit_chance(high, matched=True) <= hit_chance(high)
    assert allowed_wrong(low, WISHED) >= allowed_wrong(high, WISHED)


@given(LIVE, st.booleans(), st.booleans())
def test_a_booked_chance_never_understates(live, named, matched):
    targets = min(live, 1) if named else live
    true = targets / (SPACE * (100 if matched else 1))
    assert hit_chance(live, named=named, matched=matched) >= min(1.0, true) * UNIT * (1 - 1e-12)


@given(LIVE, WISHES)
def test_the_allowed_tries_stay_within_the_wish(live, wished):
    assert allowed_wrong(live, wished) * hit_chance(live) <= units(wished) or not live


@given(BOOKED, BOOKED, LIVE, LIVE, WISHES, WISHES)
def test_stages_only_rise_with_what_was_booked_and_with_live_codes_and_only_fall_with_the_wish(a, b, n, m, p, q):
    (low, high), (few, many), (strict, lax) = sorted((a, b)), sorted((n, m)), sorted((p, q))
    assert stage_at(low, few, lax) <= stage_at(high, few, lax)
    assert stage_at(high, few, lax) <= stage_at(high, many, lax)
    assert stage_at(high, many, lax) <= stage_at(high, many, strict)


def stage_at(booked, live, wished):
    return stage_of(booked, hit_chance(live), hit_chance(live, matched=True), units(wished))


@given(RECORDS, LIVE, WISHES)
def test_naming_the_serial_number_never_makes_it_harder(record, live, wished):
    assert stage_for(record, max(live, 1), wished, named=True) <= stage_for(record, max(live, 1), wished)


@given(RECORDS, LIVE, WISHES)
def test_naming_the_serial_number_always_leaves_a_way(record, live, wished):
    verdict = decide(record, live, wished, EntryKind.NAMED_CODE)
    assert verdict.refusal in (None, Refusal.OWN_COUNT)
    if verdict.refusal is None and verdict.stage > Stage.OPEN:
        assert verdict.needs_match_number


@given(RECORDS, LIVE, WISHES, KINDS)
def test_a_verdict_is_either_an_admission_or_a_refusal_that_ends(record, live, wished, kind):
    verdict = decide(record, live, wished, kind)
    if verdict.refusal is None:
        assert not verdict.retry_after
        assert verdict.chance == hit_chance(live, named=kind != EntryKind.CODE, matched=verdict.needs_match_number)
    else:
        assert 1 <= verdict.retry_after <= LONGEST_WAIT and not verdict.chance


@given(RECORDS, LIVE, WISHES)
def test_a_code_alone_is_never_admitted_over_the_budget(record, live, wished):
    verdict = decide(record, live, wished, EntryKind.CODE)
    if verdict.refusal is None:
        limit = units(wished) * PEOPLE_SHARE * (1 if verdict.needs_match_number else STEP_UP_AT)
        assert record.portal + verdict.chance <= limit


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50_000), st.booleans()), max_size=300), WISHES)
def test_whatever_the_sequence_codes_alone_stay_within_the_peoples_share(tries, wished):
    booked, users = 0, dict.fromkeys(range(6), 0)
    for user, live, is_known in tries:
        record = Record(user=users[user], portal=booked, is_known=is_known)
        verdict = decide(record, live, wished, EntryKind.CODE)
        booked += verdict.chance
        users[user] += verdict.chance
    assert booked <= units(wished) * PEOPLE_SHARE


@given(LIVE, WISHES)
def test_devices_have_a_share_of_their_own(live, wished):
    booked = 0
    for _ in range(1_000):
        if not budget.admits_device(booked, live, wished):
            break
        booked += hit_chance(live)
    assert booked <= units(wished) * DEVICE_SHARE


def test_the_shares_leave_room_for_ten_thousand_persistent_accounts_that_name_serial_numbers():
    tries = free_wrong(10**9) + most_tries_a_day_beyond_the_free_ones()
    assert 10_000 * tries * hit_chance(1, matched=True) <= units(WISHED) * (1 - PEOPLE_SHARE - DEVICE_SHARE)


def most_tries_a_day_beyond_the_free_ones():
    moment, tries = 0, 0
    while moment < 86_400:
        moment, tries = moment + wait_after(tries), tries + 1
    return tries


@given(st.integers(0, 500), st.integers(0, 500))
def test_each_wrong_entry_may_only_lengthen_the_wait(one, other):
    low, high = sorted((one, other))
    waits = [own_wait(Record(wrong=wrong, idle=0.0), EntryKind.CODE) for wrong in (low, high)]
    assert waits[0] <= waits[1] <= LONGEST_WAIT


@given(RECORDS, st.sampled_from(EntryKind))
def test_nobody_waits_for_longer_than_an_hour_since_the_last_entry(record, kind):
    waited = Record(wrong=record.wrong, wrong_serials=record.wrong_serials, right=record.right, idle=LONGEST_WAIT)
    assert own_wait(waited, kind) == 0


def test_a_few_slips_cost_no_time_and_more_cost_ever_more():
    waits = [own_wait(Record(wrong=wrong, idle=0.0), EntryKind.CODE) for wrong in range(25)]
    assert waits[:10] == [0] * 10
    assert waits[10:14] == [2, 4, 8, 16]
    assert waits[21:] == [3600] * 4


def test_who_enters_much_may_slip_more_often():
    assert own_wait(Record(wrong=15, right=0, idle=0.0), EntryKind.CODE) > 0
    assert own_wait(Record(wrong=15, right=300, idle=0.0), EntryKind.CODE) == 0
    assert free_wrong(10**6) == 45


def test_wrong_serial_numbers_and_wrong_codes_do_not_count_for_each_other():
    many_serials, many_codes = Record(wrong_serials=30, idle=0.0), Record(wrong=30, idle=0.0)
    assert own_wait(many_serials, EntryKind.SERIAL) and not own_wait(many_serials, EntryKind.CODE)
    assert own_wait(many_codes, EntryKind.CODE) and not own_wait(many_codes, EntryKind.SERIAL)


def test_the_four_stages_in_turn():
    people = round(units(WISHED) * PEOPLE_SHARE)
    stages = [stage_for(Record(portal=int(people * used)), 1_000, WISHED) for used in (0, 0.49, 0.6, 0.8, 1.0)]
    assert stages == [Stage.OPEN, Stage.STEP_UP, Stage.STEP_UP, Stage.SLOW, Stage.PAUSED]
    assert [stage.label for stage in Stage] == ["open", "step-up", "slow", "paused"]


def test_in_the_slow_stage_only_those_whom_nobody_knows_are_asked_for_more():
    slow = int(units(WISHED) * PEOPLE_SHARE * 0.8)
    stranger, known = Record(portal=slow), Record(portal=slow, is_known=True)
    assert decide(stranger, 1_000, WISHED, EntryKind.CODE).refusal == Refusal.SERIAL_NEEDED
    assert decide(known, 1_000, WISHED, EntryKind.CODE).needs_match_number


def test_the_wait_of_strangers_grows_with_what_is_used_up():
    people = units(WISHED) * PEOPLE_SHARE
    records = [Record(portal=int(people * used)) for used in (0.76, 0.85, 0.95, 1.2)]
    waits = [decide(record, 1_000, WISHED, EntryKind.CODE).retry_after for record in records]
    assert waits == sorted(waits) and 60 <= waits[0] < waits[1] < waits[2] < waits[3] == LONGEST_WAIT


def test_one_users_wrong_entries_are_asked_for_more_before_anybody_elses():
    mine = hit_chance(1_000) * 3
    assert stage_for(Record(portal=mine, user=mine), 1_000, WISHED) == Stage.STEP_UP
    assert stage_for(Record(portal=mine), 1_000, WISHED) == Stage.OPEN


def test_one_tenants_wrong_entries_are_asked_for_more_before_anybody_elses():
    theirs = int(units(WISHED) * PEOPLE_SHARE * 0.3)
    assert stage_for(Record(portal=theirs, tenant=theirs), 1_000, WISHED) == Stage.STEP_UP
    assert stage_for(Record(portal=theirs), 1_000, WISHED) == Stage.OPEN
