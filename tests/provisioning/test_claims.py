"""Letting devices in: provisioning.services.claims."""

import pytest
from django.db import transaction

from devices.actors import Actor
from devices.errors import InvalidTransition, SerialInUse
from devices.models import Device, DeviceState, HistoryEntry
from provisioning.errors import (
    AlreadyProvisioned,
    CodeNotUsable,
    ContestedSerial,
    MatchNumberNeeded,
    MatchNumberWrong,
    SerialNotWaiting,
    WrongPoller,
)
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services.claims import find_waiting
from provisioning.services.removal import delete_device
from provisioning.states import CodeState, EnrolmentState
from tests.base import (
    collect,
    confirm,
    decline,
    enrolment_of,
    make_code,
    make_enrolment,
    make_poll_token,
    make_product,
    make_statement,
    poll,
    unique,
    unlock,
    unlock_by_code,
)
from twins.models import Twin

pytestmark = pytest.mark.django_db


def state_of(statement):
    return enrolment_of(statement).state


def test_a_code_lets_the_device_in(cast):
    statement = make_statement(attributes={"colour": "red"})
    device = unlock_by_code(make_code(statement).code, cast.tenant_a, cast.bob, name="  Lamp   one ")
    assert device.tenant == cast.tenant_a
    assert device.serial_number == statement.serial_number
    assert device.name == "Lamp one"
    assert device.claimed_by == cast.bob
    assert device.attributes == {"colour": "red"}
    assert Twin.objects.filter(device=device).count() == 1
    assert state_of(statement) == EnrolmentState.UNLOCKED
    assert ProvisioningCode.objects.get().state == CodeState.REDEEMED


def test_without_a_name_the_device_is_called_by_its_serial_number(cast):
    statement = make_statement()
    assert unlock_by_code(make_code(statement).code, cast.tenant_a).name == statement.serial_number


@pytest.mark.parametrize("shape", [str.lower, lambda code: f" {code[:3]} - {code[3:]}\t"])
def test_a_code_is_read_as_people_type_it(cast, shape):
    assert unlock_by_code(shape(make_code().code), cast.tenant_a).pk


def test_a_code_works_once(cast):
    code = make_code().code
    unlock_by_code(code, cast.tenant_a)
    with pytest.raises(CodeNotUsable):
        unlock_by_code(code, cast.tenant_a)


@pytest.mark.parametrize("entry", ["222222", "", "nonsense", "222 22O"])
def test_an_unknown_code_is_refused(cast, entry):
    with pytest.raises(CodeNotUsable):
        unlock_by_code(entry, cast.tenant_a)


@pytest.mark.parametrize("swept", [False, True])
def test_an_expired_code_is_refused_whether_or_not_it_was_swept(cast, moved_clock, swept):
    from provisioning.services.expiry import expire_codes

    code = make_code().code
    moved_clock.advance(seconds=300)
    if swept:
        assert expire_codes() == 1
    with pytest.raises(CodeNotUsable):
        unlock_by_code(code, cast.tenant_a)
    assert not Device.objects.exists()


def test_a_code_is_good_to_its_last_moment(cast, moved_clock):
    code = make_code().code
    moved_clock.advance(seconds=299, milliseconds=999)
    assert unlock_by_code(code, cast.tenant_a).pk


def test_a_replaced_code_is_refused(cast):
    statement = make_statement()
    first, second = make_code(statement).code, make_code(statement).code
    with pytest.raises(CodeNotUsable):
        unlock_by_code(first, cast.tenant_a)
    assert unlock_by_code(second, cast.tenant_a).pk


def test_a_serial_number_lets_the_device_in_and_ends_its_code(cast):
    statement = make_statement()
    code = make_code(statement).code
    device = unlock(statement, cast.tenant_a)
    assert device.serial_number == statement.serial_number
    assert ProvisioningCode.objects.get().state == CodeState.REVOKED
    with pytest.raises(CodeNotUsable):
        unlock_by_code(code, cast.tenant_a)


def test_serial_numbers_are_read_as_people_type_them(cast):
    statement = make_statement(unique("sn-a b"))
    poll(statement)
    typed = make_statement(statement.serial_number.upper().replace("-", " "))
    assert unlock(typed, cast.tenant_a).serial_number == statement.serial_number


def test_a_device_that_does_not_wait_is_not_found_by_its_serial_number(cast, moved_clock):
    with pytest.raises(SerialNotWaiting):
        find_waiting(entry=unique("SN"))
    statement = make_statement()
    poll(statement)
    moved_clock.advance(hours=24)
    with pytest.raises(SerialNotWaiting):
        find_waiting(entry=statement.serial_number)


def test_a_contested_serial_number_needs_the_code_and_the_rival_is_superseded(cast):
    serial = unique("SN")
    true, rival = (make_statement(serial, poll_token=make_poll_token()) for _ in range(2))
    code = make_code(true).code
    make_code(rival)
    with pytest.raises(ContestedSerial):
        unlock(true, cast.tenant_a)
    assert find_waiting(entry=code).contested
    assert find_waiting(entry=serial).contested
    with pytest.raises(MatchNumberNeeded):
        unlock_by_code(code, cast.tenant_a)
    assert poll(rival).match_number == ""
    unlock_by_code(code, cast.tenant_a, match_number=poll(true).match_number)
    assert state_of(rival) == EnrolmentState.SUPERSEDED
    with pytest.raises(WrongPoller):
        poll(rival)
    assert collect(true).device_secret
    with pytest.raises(WrongPoller):
        poll(rival)
    confirm(true)
    with pytest.raises(AlreadyProvisioned):
        poll(rival)


def test_one_wrong_match_number_closes_the_enrolment(cast):
    serial = unique("SN")
    true, rival = (make_statement(serial, poll_token=make_poll_token()) for _ in range(2))
    code = make_code(true).code
    make_code(rival)
    with pytest.raises(MatchNumberNeeded):
        unlock_by_code(code, cast.tenant_a)
    number = poll(true).match_number
    assert len(number) == 2 and number.isdigit()
    with pytest.raises(MatchNumberWrong):
        unlock_by_code(code, cast.tenant_a, match_number=f"{(int(number) + 1) % 100:02d}")
    assert state_of(true) == EnrolmentState.DECLINED
    with pytest.raises(CodeNotUsable):
        unlock_by_code(code, cast.tenant_a, match_number=number)


def test_a_rival_that_fell_silent_contests_nothing(cast, moved_clock):
    serial = unique("SN")
    poll(make_statement(serial, poll_token=make_poll_token()))
    moved_clock.advance(minutes=11)
    restarted = make_statement(serial, poll_token=make_poll_token())
    poll(restarted)
    unlock(restarted, cast.tenant_a)
    assert collect(restarted).device_secret


def test_one_tenant_has_a_serial_number_once(cast):
    statement = make_statement()
    poll(statement)
    unlock(statement, cast.tenant_a)
    Enrolment.objects.update(state=EnrolmentState.SUPERSEDED)
    poll(statement)
    with pytest.raises(SerialInUse):
        unlock(statement, cast.tenant_a)
    assert state_of(statement) == EnrolmentState.WAITING
    assert unlock(statement, cast.tenant_b).pk


def test_two_products_may_have_one_serial_number(cast):
    statement = make_statement()
    for code in ("lamp", "door"):
        poll(statement)
        unlock(statement, cast.tenant_a, product=make_product(cast.tenant_a, code))
        Enrolment.objects.update(state=EnrolmentState.SUPERSEDED)
    assert Device.objects.count() == 2


def test_a_claim_that_is_rolled_back_leaves_nothing(cast):
    statement = make_statement()
    code = make_code(statement).code
    history = HistoryEntry.objects.count()
    with pytest.raises(KeyError), transaction.atomic():
        unlock_by_code(code, cast.tenant_a)
        raise KeyError
    assert not Device.objects.exists() and not Twin.objects.exists()
    assert HistoryEntry.objects.count() == history
    assert state_of(statement) == EnrolmentState.WAITING
    assert unlock_by_code(code, cast.tenant_a).pk


def test_a_claim_tells_pages_and_polls_after_the_commit_only(cast, django_capture_on_commit_callbacks, monkeypatch):
    from devices import hints

    sent = []
    monkeypatch.setattr(hints, "_group_send", lambda group, message: sent.append((group, message["type"])))
    statement = make_statement()
    poll(statement)
    with django_capture_on_commit_callbacks() as callbacks:
        unlock(statement, cast.tenant_a)
    assert sent == []
    for callback in callbacks:
        callback()
    assert ("enrolments", "enrolment.changed") in sent


def test_a_declined_device_stays_away_for_an_hour_and_its_code_is_dead(cast):
    statement = make_statement()
    code = make_code(statement).code
    decline(statement, cast.alice)
    assert state_of(statement) == EnrolmentState.DECLINED
    with pytest.raises(CodeNotUsable):
        unlock_by_code(code, cast.tenant_a)


def test_declining_after_the_unlock_is_too_late(cast):
    from provisioning.services.claims import decline_waiting

    statement = make_statement()
    poll(statement)
    waiting = find_waiting(entry=statement.serial_number)
    unlock(statement, cast.tenant_a)
    with pytest.raises(InvalidTransition):
        decline_waiting(waiting=waiting, actor=Actor.system())
    assert state_of(statement) == EnrolmentState.UNLOCKED


def test_finding_tells_nothing_of_why_not(cast, moved_clock):
    expired = make_code().code
    moved_clock.advance(seconds=300)
    used = make_code().code
    unlock_by_code(used, cast.tenant_a)
    said = set()
    for entry in (expired, used, "222222"):
        with pytest.raises(CodeNotUsable) as refusal:
            find_waiting(entry=entry)
        said.add(refusal.value.detail)
    assert len(said) == 1


def test_what_has_the_shape_of_a_code_may_be_a_serial_number():
    enrolment = make_enrolment("222-22Z")
    assert find_waiting(entry="222 22z").enrolment == enrolment


def test_a_deleted_devices_serial_number_starts_over(cast):
    statement = make_statement()
    poll(statement)
    device = unlock(statement, cast.tenant_a)
    first = collect(statement)
    with pytest.raises(AlreadyProvisioned):
        poll(statement)
    delete_device(device=device, actor=Actor.system())
    assert Device.objects.get(pk=device.pk).state == DeviceState.RETIRED
    poll(statement)
    unlock(statement, cast.tenant_b)
    second = collect(statement)
    assert second.device_id != first.device_id


def test_an_unlocked_device_that_is_not_collected_in_time_is_given_back(cast, moved_clock):
    from provisioning.services.expiry import expire_enrolments

    statement = make_statement()
    poll(statement)
    device = unlock(statement, cast.tenant_a)
    moved_clock.advance(hours=24)
    assert expire_enrolments() == 1
    assert Device.objects.get(pk=device.pk).state == DeviceState.RETIRED
    poll(statement)
    assert unlock(statement, cast.tenant_a).pk != device.pk


@pytest.mark.parametrize("poll_token", ["", "another"])
def test_an_uncollected_unlock_stands_in_nobodys_way_without_a_sweep(cast, moved_clock, poll_token):
    statement = make_statement(poll_token=make_poll_token())
    poll(statement)
    unlock(statement, cast.tenant_a)
    moved_clock.advance(hours=24)
    reset = make_statement(statement.serial_number, poll_token=make_poll_token() if poll_token else "")
    poll(reset)
    unlock(reset, cast.tenant_a)
    assert collect(reset).device_secret


def test_a_code_is_not_issued_for_an_enrolment_that_was_let_in_meanwhile(cast, monkeypatch):
    from provisioning.services import codes

    statement = make_statement()
    poll(statement)
    note_poll = codes.note_poll

    def claimed_meanwhile(**kw):
        note_poll(**kw)
        unlock(statement, cast.tenant_a)

    monkeypatch.setattr(codes, "note_poll", claimed_meanwhile)
    with pytest.raises(InvalidTransition):
        make_code(statement)
    assert not ProvisioningCode.objects.filter(state=CodeState.ISSUED).exists()


def test_two_polls_that_find_one_stale_enrolment_both_get_an_answer(moved_clock, monkeypatch):
    from provisioning.services import enrolments

    statement = make_statement()
    poll(statement)
    moved_clock.advance(hours=24)
    expire_enrolment = enrolments.expire_enrolment

    def expired_meanwhile(*, enrolment):
        monkeypatch.setattr(enrolments, "expire_enrolment", expire_enrolment)
        expire_enrolment(enrolment=Enrolment.objects.get(pk=enrolment.pk))
        expire_enrolment(enrolment=enrolment)

    monkeypatch.setattr(enrolments, "expire_enrolment", expired_meanwhile)
    poll(statement)
    assert state_of(statement) == EnrolmentState.WAITING
