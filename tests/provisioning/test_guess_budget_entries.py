"""The guess budget's books, and what they mean at the doors: provisioning.services.guesses, the APIs."""

import logging
from datetime import timedelta

import pytest

from devices.errors import TooManyRequests
from devices.models import Membership, Role
from portal.entries import counted_entry
from provisioning import budget
from provisioning.budget import EntryKind, Stage
from provisioning.errors import CodeNotUsable, MatchNumberNeeded, MatchNumberWrong, SerialNumberNeeded
from provisioning.models import Enrolment, EntryCount
from provisioning.pollers import Poller
from provisioning.services import guesses
from provisioning.services.claims import claim_by_code, find_waiting
from provisioning.services.guesses import (
    check_device_code,
    check_entry,
    current_stage,
    guess_budget_status,
    needs_match_number,
    note_right,
    note_wrong,
    purge_entry_counts,
    take_back,
)
from provisioning.states import EnrolmentState
from provisioning.tasks import purge_entry_counts_task
from tests.base import (
    api_client,
    enrolment_of,
    make_code,
    make_poll_token,
    make_statement,
    make_tenant,
    poll,
    unlock_by_code,
)
from tests.http import POLL, assert_problem, post
from tests.provisioning.crowd import make_crowd

pytestmark = pytest.mark.django_db
CLAIMS = "/api/v1/claims"
WRONG = "222222"


@pytest.fixture(autouse=True)
def _nothing_remembered():
    guesses._live_codes.forget()
    yield
    guesses._live_codes.forget()


@pytest.fixture
def thousand_live(monkeypatch):
    """As if so many devices showed a code."""
    monkeypatch.setattr(guesses, "count_live_codes", lambda: 1_000)
    monkeypatch.setattr(guesses, "_count_pollable_codes", lambda: 1_000)


def claim(user, code, **body):
    return api_client(user).post(CLAIMS, {"provisioningCode": code, **body}, format="json")


def spend(share, *, scope="people", source=0):
    """Book as much of the people's budget, as if it had been guessed away."""
    from portal.lib.clock import now
    from provisioning.guess_models import CountScope

    people = budget.units(1e-4) * budget.PEOPLE_SHARE
    hour = now().replace(minute=0, second=0, microsecond=0)
    row, _ = EntryCount.objects.get_or_create(scope=CountScope(scope), source=source, hour=hour)
    EntryCount.objects.filter(pk=row.pk).update(chance=int(people * share))


def rows(scope):
    return EntryCount.objects.filter(scope=scope)


def test_an_entry_is_booked_as_wrong_before_it_is_looked_at(cast):
    make_crowd(10)
    admission = check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk)
    for scope in ("user", "tenant", "people"):
        row = rows(scope).get()
        assert (row.wrong, row.right, row.chance) == (1, 0, budget.hit_chance(10))
    note_wrong(admission)
    assert rows("people").get().wrong == 1


def test_a_right_entry_leaves_nothing_but_that_the_person_is_known(cast):
    make_crowd(10)
    note_right(check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk))
    for scope in ("user", "tenant", "people"):
        row = rows(scope).get()
        assert (row.wrong, row.right, row.chance) == (0, 1, 0)


def test_what_is_taken_back_is_neither_right_nor_wrong(cast):
    make_crowd(10)
    take_back(check_entry(user_id=cast.bob.pk))
    row = rows("user").get()
    assert (row.wrong, row.right, row.chance) == (0, 0, 0)


def test_many_tries_are_one_row_an_hour(cast, moved_clock):
    moved_clock.moment = moved_clock.moment.replace(minute=10)
    for _ in range(8):
        note_wrong(check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk))
    assert EntryCount.objects.count() == 3
    moved_clock.advance(hours=1)
    note_wrong(check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk))
    assert EntryCount.objects.count() == 6


def test_the_counts_do_not_depend_on_redis(cast, settings, monkeypatch):
    def gone(*args, **kw):
        raise AssertionError("Redis was asked")

    monkeypatch.setattr("portal.lib.throttle._redis", gone)
    for _ in range(10):
        note_wrong(check_entry(user_id=cast.bob.pk))
    with pytest.raises(TooManyRequests):
        check_entry(user_id=cast.bob.pk)


def test_a_person_who_is_wrong_again_and_again_waits_ever_longer_but_never_more_than_an_hour(cast, moved_clock):
    waits = []
    for _ in range(30):
        try:
            note_wrong(check_entry(user_id=cast.bob.pk))
        except TooManyRequests as error:
            waits.append(error.retry_after)
            moved_clock.advance(seconds=error.retry_after)
            note_wrong(check_entry(user_id=cast.bob.pk))
    assert waits[:4] == [2, 4, 8, 16] and waits == sorted(waits) and waits[-1] == 3600


def test_others_do_not_wait_for_it(cast):
    for _ in range(10):
        note_wrong(check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk))
    with pytest.raises(TooManyRequests):
        check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk)
    assert check_entry(user_id=cast.alice.pk, tenant_id=cast.tenant_a.pk)


def test_a_day_later_it_is_forgotten(cast, moved_clock):
    spend(2)
    for _ in range(10):
        note_wrong(check_entry(user_id=cast.bob.pk, kind=EntryKind.NAMED_CODE))
    make_crowd(10, lifetime=timedelta(days=3))
    assert current_stage() == Stage.PAUSED
    moved_clock.advance(hours=23)
    assert current_stage() == Stage.PAUSED
    moved_clock.advance(hours=3)
    assert current_stage() == Stage.OPEN
    assert check_entry(user_id=cast.bob.pk)


def test_a_refused_entry_is_not_booked(cast):
    make_crowd(10)
    spend(0.9)
    before = rows("people").get().chance
    with pytest.raises(SerialNumberNeeded) as refused:
        check_entry(user_id=cast.bob.pk)
    assert 60 <= refused.value.retry_after <= 3600
    assert rows("people").get().chance == before and rows("people").get().wrong == 0


def test_who_entered_a_right_code_lately_is_not_asked_for_the_serial_number_in_the_slow_stage(cast, moved_clock):
    make_crowd(10, lifetime=timedelta(days=30))
    note_right(check_entry(user_id=cast.bob.pk))
    moved_clock.advance(days=6)
    spend(0.9)
    assert check_entry(user_id=cast.bob.pk).needs_match_number
    with pytest.raises(SerialNumberNeeded):
        check_entry(user_id=cast.alice.pk)
    moved_clock.advance(days=3)
    spend(0.9)
    with pytest.raises(SerialNumberNeeded):
        check_entry(user_id=cast.bob.pk)


def test_when_the_budget_is_used_up_a_code_alone_opens_nothing_for_anybody(cast):
    make_crowd(10)
    note_right(check_entry(user_id=cast.bob.pk))
    spend(1)
    with pytest.raises(SerialNumberNeeded):
        check_entry(user_id=cast.bob.pk)
    assert check_entry(user_id=cast.bob.pk, kind=EntryKind.NAMED_CODE).needs_match_number


# At the doors.


def test_a_wrong_code_over_the_api_is_booked_for_user_tenant_and_all(cast):
    make_crowd(10)
    assert_problem(claim(cast.bob, WRONG), 404, "code-not-usable")
    assert [rows(scope).get().wrong for scope in ("user", "tenant", "people")] == [1, 1, 1]


def test_what_cannot_be_a_code_is_no_guess_but_counts_as_a_wrong_entry(cast):
    assert_problem(claim(cast.bob, "nonsense!"), 404, "code-not-usable")
    row = rows("user").get()
    assert (row.wrong, row.wrong_serials, row.chance) == (0, 1, 0)


def test_after_ten_wrong_codes_a_person_is_told_to_wait(cast):
    answers = [claim(cast.bob, WRONG) for _ in range(11)]
    assert_problem(answers[-1], 429, "too-many-requests")
    assert int(answers[-1]["Retry-After"]) == 2


def test_wrong_serial_numbers_are_limited_as_well(cast):
    for _ in range(20):
        note_wrong(check_entry(user_id=cast.bob.pk, kind=EntryKind.SERIAL))
    answer = api_client(cast.bob).post(CLAIMS, {"serialNumber": "SN-unknown"}, format="json")
    assert_problem(answer, 429, "too-many-requests")
    assert rows("people").get().chance == 0


def test_a_code_that_is_right_while_something_else_is_not_is_taken_back(cast):
    code = make_code().code
    body = {"product": "no-such-product"}
    assert claim(cast.bob, code, **body).status_code == 400
    assert claim(cast.bob, code, name="x" * 101).status_code == 400
    assert not EntryCount.objects.filter(wrong__gt=0).exists()
    assert claim(cast.bob, code).status_code == 201
    assert rows("user").get().right == 1


def test_step_up_asks_for_the_match_number_of_an_uncontested_serial_number(cast, thousand_live):
    statement = make_statement()
    code = make_code(statement).code
    guesses._live_codes.forget()
    spend(0.6)
    assert needs_match_number()
    assert_problem(claim(cast.bob, code), 409, "match-number-needed")
    number = poll(statement).match_number
    assert len(number) == 2
    assert claim(cast.bob, code, matchNumber=number).status_code == 201
    assert rows("user").get().wrong == 0


def test_in_step_up_one_wrong_match_number_closes_the_enrolment_and_is_counted(cast, thousand_live):
    statement = make_statement()
    code = make_code(statement).code
    spend(0.6)
    assert_problem(claim(cast.bob, code), 409, "match-number-needed")
    wrong = f"{(int(poll(statement).match_number) + 1) % 100:02d}"
    assert_problem(claim(cast.bob, code, matchNumber=wrong), 409, "match-number-wrong")
    assert enrolment_of(statement).state == EnrolmentState.DECLINED
    assert rows("user").get().wrong == 1
    assert_problem(claim(cast.bob, code), 404, "code-not-usable")


def test_a_match_number_once_asked_for_stays_needed_when_the_stage_falls(cast, thousand_live):
    statement = make_statement()
    code = make_code(statement).code
    with pytest.raises(MatchNumberNeeded):
        claim_by_code(code=code, tenant=cast.tenant_a, is_stepped_up=True, actor=_actor(cast.bob))
    with pytest.raises(MatchNumberWrong):
        claim_by_code(code=code, tenant=cast.tenant_a, is_stepped_up=False, match_number="xx", actor=_actor(cast.bob))


def test_without_an_admission_the_claim_asks_the_budget_itself(cast, thousand_live):
    spend(0.6)
    with pytest.raises(MatchNumberNeeded):
        unlock_by_code(make_code().code, cast.tenant_a)


def test_in_the_slow_stage_a_stranger_names_the_serial_number(cast, thousand_live):
    statement = make_statement()
    code = make_code(statement).code
    spend(0.9)
    document = assert_problem(claim(cast.bob, code), 429, "serial-number-needed")
    assert document["retryAfter"] >= 60
    named = {"serialNumber": statement.serial_number}
    assert_problem(claim(cast.bob, code, **named), 409, "match-number-needed")
    number = poll(statement).match_number
    assert claim(cast.bob, code, matchNumber=number, **named).status_code == 201


def test_a_refusal_does_not_say_whether_the_code_was_right(cast, thousand_live):
    code = make_code().code
    spend(1)
    right, wrong = claim(cast.bob, code).json(), claim(cast.bob, WRONG).json()
    assert {**right, "requestId": ""} == {**wrong, "requestId": ""}


@pytest.mark.parametrize("how", ["claim", "find"])
def test_a_code_of_another_serial_number_is_no_code(cast, how):
    statement = make_statement()
    code = make_code(statement).code
    make_code(other := make_statement())
    with pytest.raises(CodeNotUsable):
        if how == "claim":
            unlock_by_code(code, cast.tenant_a, serial_number=other.serial_number)
        else:
            find_waiting(entry=code, serial_number=other.serial_number)
    assert find_waiting(entry=code, serial_number=statement.serial_number.lower()).code
    assert unlock_by_code(code, cast.tenant_a, serial_number=statement.serial_number).pk


def test_a_serial_number_alone_still_lets_in_whatever_the_stage(cast, thousand_live):
    statement = make_statement()
    poll(statement)
    spend(1)
    answer = api_client(cast.bob).post(CLAIMS, {"serialNumber": statement.serial_number}, format="json")
    assert answer.status_code == 201


def test_pages_and_api_count_together(cast):
    for _ in range(10):
        with pytest.raises(CodeNotUsable), counted_entry(user_id=cast.bob.pk, entry=WRONG):
            find_waiting(entry=WRONG)
    assert_problem(claim(cast.bob, WRONG), 429, "too-many-requests")


def test_a_crash_within_forgives_nothing(cast):
    with pytest.raises(ZeroDivisionError), counted_entry(user_id=cast.bob.pk, entry=WRONG):
        1 / 0  # noqa: B018  the crash
    assert rows("user").get().wrong == 1


def test_counts_of_a_tenant_are_its_own(cast, thousand_live):
    spend(0.3, scope="tenant", source=cast.tenant_a.pk)
    assert claim(cast.bob, make_code().code).status_code == 409
    assert claim(cast.charlie, make_code().code).status_code == 201


# Codes that devices poll with.


def code_poll(code, **kw):
    return post(POLL, {"provisioningCode": code, **kw})


@pytest.fixture
def _quick_polls(settings):
    settings.POLL_MINIMUM_INTERVAL = 0
    settings.DEVICE_MISSES_PER_MINUTE = 10_000


@pytest.mark.usefixtures("_quick_polls")
def test_unknown_codes_polled_by_devices_have_a_share_of_the_budget(cast, thousand_live):
    statuses = [code_poll(f"22222{symbol}").status_code for symbol in "23456789ABCDEFGHJKMN"]
    assert statuses == [404] * 17 + [429] * 3
    status = guess_budget_status()
    assert status.wrong_today == 17
    assert status.hit_chance <= budget.DEVICE_SHARE * status.wished
    assert status.stage == Stage.OPEN


@pytest.mark.usefixtures("_quick_polls")
def test_over_the_share_a_device_polls_with_its_own_code_as_ever_and_another_learns_nothing(cast, thousand_live):
    plain, bound = make_statement(), make_statement(poll_token=make_poll_token())
    for statement in (plain, bound):
        poll(statement)
    codes = {statement.serial_number: make_code(statement).code for statement in (plain, bound)}
    Enrolment.objects.filter(serial_number=plain.serial_number).update(network="127.0.0.1")
    spend(1, scope="devices")
    own = codes[bound.serial_number]
    assert code_poll(own, pollToken=bound.poller.poll_token).status_code == 202
    assert code_poll(codes[plain.serial_number]).status_code == 202
    refused = [code_poll(own), code_poll(WRONG), code_poll(own, pollToken=make_poll_token())]
    Enrolment.objects.filter(serial_number=plain.serial_number).update(network="192.0.2.99")
    refused.append(code_poll(codes[plain.serial_number]))
    documents = [{**assert_problem(answer, 429, "too-many-requests"), "requestId": ""} for answer in refused]
    assert all(document == documents[0] for document in documents)


def test_another_pollers_code_is_booked_like_an_unknown_one(cast):
    statement = make_statement(poll_token=make_poll_token())
    code = make_code(statement).code
    check_device_code(code=code, poller=statement.poller, network="192.0.2.7")
    assert not EntryCount.objects.exists()
    check_device_code(code=code, poller=Poller(), network="192.0.2.7")
    assert rows("devices").get().wrong == 1


# The gauge, the purge, the logs.


def test_the_gauge(cast, moved_clock):
    make_crowd(1_000)
    for _ in range(3):
        note_wrong(check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk))
    note_wrong(check_entry(user_id=cast.alice.pk, kind=EntryKind.SERIAL))
    status = guess_budget_status()
    assert (status.live_codes, status.wrong_today, status.wrong_serials_today) == (1_000, 3, 1)
    assert status.hit_chance == pytest.approx(3 * 1_000 / 31**6, rel=1e-6)
    assert (status.wished, status.stage) == (1e-4, Stage.OPEN)
    assert (status.allowed_wrong, status.allowed_wrong_with_match_number) == (88, 8_875)
    assert [(source.user_id, source.wrong, source.is_paused) for source in status.worst] == [
        (cast.bob.pk, 3, False),
        (cast.alice.pk, 0, False),
    ]


def test_the_gauge_of_a_portal_where_nothing_happened(db):
    status = guess_budget_status()
    assert (status.live_codes, status.wrong_today, status.hit_chance, status.worst) == (0, 0, 0, [])
    assert status.stage == Stage.OPEN


def test_only_codes_that_could_be_entered_are_counted_as_live(cast, moved_clock):
    make_crowd(3)
    unlock_by_code(make_code().code, cast.tenant_a)
    make_code(statement := make_statement())
    make_code(statement)
    guesses._live_codes.forget()
    assert guess_budget_status().live_codes == 4
    moved_clock.advance(seconds=300)
    guesses._live_codes.forget()
    assert guess_budget_status().live_codes == 0


def test_old_counts_are_purged_in_batches_and_again_without_harm(cast, moved_clock, monkeypatch):
    monkeypatch.setattr(guesses, "_BATCH", 2)
    for _ in range(5):
        note_wrong(check_entry(user_id=cast.bob.pk))
        moved_clock.advance(hours=1)
    moved_clock.advance(days=8, hours=-3)
    assert EntryCount.objects.count() == 10
    assert purge_entry_counts() == 6
    assert purge_entry_counts_task() == 0
    assert EntryCount.objects.count() == 4


def test_no_code_is_logged_or_stored(cast, caplog):
    caplog.set_level(logging.DEBUG)
    code = make_code().code
    claim(cast.bob, WRONG)
    claim(cast.bob, code)
    from portal.lib.logs import JsonFormatter

    text = "".join(JsonFormatter().format(record) for record in caplog.records)
    assert "wrong-entry" in text and WRONG not in text and code not in text
    assert not {"code", "entry"} & {field.name for field in EntryCount._meta.get_fields()}


def test_an_entry_costs_a_bounded_number_of_queries(cast, django_assert_max_num_queries):
    make_crowd(5)
    note_right(check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk))
    with django_assert_max_num_queries(8):
        admission = check_entry(user_id=cast.bob.pk, tenant_id=cast.tenant_a.pk)
    with django_assert_max_num_queries(4):
        note_right(admission)


def _actor(user):
    from devices.actors import Actor

    return Actor.user(user.pk)


def test_a_person_in_several_tenants_does_not_get_more(cast):
    other = make_tenant()
    Membership.objects.create(user=cast.bob, tenant=other, role=Role.TECHNICIAN)
    for tenant in [cast.tenant_a, other] * 5:
        note_wrong(check_entry(user_id=cast.bob.pk, tenant_id=tenant.pk))
    with pytest.raises(TooManyRequests):
        check_entry(user_id=cast.bob.pk, tenant_id=other.pk)
