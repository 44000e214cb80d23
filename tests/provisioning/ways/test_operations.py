"""The device's side: beginning with a token, waiting, and being given credentials."""

import re

import pytest

from devices.errors import (
    DeviceIdInUse,
    InvalidRequest,
    InvalidTransition,
    NotFound,
    SerialInUse,
    Unauthenticated,
)
from devices.models import Device
from portal.lib.clock import now
from provisioning.codes import ALPHABET
from provisioning.errors import (
    AlreadyProvisioned,
    ContestedSerial,
    DeviceIdNotAllowed,
    EnrolmentClosed,
    SerialNotListed,
    TokenUsedUp,
    TooManyOperations,
)
from provisioning.models import Enrolment
from provisioning.services.approvals import approve_operation, decline_operation
from provisioning.services.claims import claim_by_serial, find_waiting
from provisioning.services.expiry import expire_enrolments
from provisioning.services.operations import begin_operation, find_operation, get_operation
from provisioning.services.polling import Pending
from provisioning.services.tokens import revoke_provisioning_token
from provisioning.token_models import Approval, DeviceIdPolicy
from tests.base import make_statement, make_tenant, poll, unique
from tests.provisioning.ways.props import (
    SYSTEM,
    bound_statement,
    fresh,
    history_of,
    make_listed_product,
    make_operation,
    make_token,
    read,
    token_poll,
    without_serial,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(db):
    return make_token(make_tenant())[0]


@pytest.fixture
def automatic(db):
    return make_token(make_tenant(), approval=Approval.AUTOMATIC)[0]


def test_it_waits_with_a_code_to_compare(token, moved_clock, settings):
    operation = make_operation(token)
    assert (operation.state, operation.tenant, operation.token) == ("waiting", token.tenant, token)
    assert re.fullmatch(rf"[{ALPHABET}]{{6}}", operation.verification_code)
    assert (operation.decide_until - now()).total_seconds() == settings.OPERATION_LIFETIME


def test_its_code_lets_nothing_in_by_itself(token):
    from provisioning.errors import CodeNotUsable
    from provisioning.services.claims import claim_by_code

    operation = make_operation(token)
    with pytest.raises(CodeNotUsable):
        claim_by_code(code=operation.verification_code, tenant=token.tenant, actor=SYSTEM)


def test_people_who_claim_serial_numbers_do_not_meet_it(token):
    from devices.errors import DomainError

    statement = make_statement()
    make_operation(token, statement.serial_number)
    with pytest.raises(DomainError):
        find_waiting(entry=statement.serial_number)
    # Nor does a plain poller with the same serial number contest it, or the other way round.
    assert isinstance(poll(statement), Pending)
    other = make_tenant()
    assert claim_by_serial(serial_number=statement.serial_number, tenant=other, actor=SYSTEM).tenant == other


def test_the_same_id_at_two_tenants_is_two_devices(token):
    other, _ = make_token(make_tenant())
    for each in (token, other):
        approve_operation(operation=without_serial(each, "sensor-01"), actor=SYSTEM)
    assert Device.objects.filter(external_id="sensor-01").count() == 2


def test_a_newer_attempt_of_the_same_device_supersedes_the_older(token):
    older = without_serial(token, "sensor-01")
    newer = without_serial(token, "sensor-01")
    assert (fresh(older).state, newer.state) == ("superseded", "waiting")
    assert older.verification_code != newer.verification_code
    others = [without_serial(token, "sensor-02"), without_serial(token), without_serial(token)]
    assert [fresh(row).state for row in [newer, *others]] == ["waiting"] * 4


def test_a_newer_attempt_supersedes_one_that_was_let_in_and_not_collected(token):
    older = without_serial(token, "sensor-01")
    device = approve_operation(operation=older, actor=SYSTEM)
    newer = without_serial(token, "sensor-01")
    assert fresh(older).state == "superseded"
    assert fresh(device).state == "retired"
    assert approve_operation(operation=newer, actor=SYSTEM).external_id == "sensor-01"


def test_it_ends_by_the_clock_and_the_next_poll_begins_another(token, moved_clock, settings):
    statement = bound_statement()
    first = token_poll(token, statement)
    moved_clock.advance(seconds=settings.OPERATION_LIFETIME)
    with pytest.raises(InvalidTransition):
        approve_operation(operation=Enrolment.objects.get(public_id=first.enrolment_id), actor=SYSTEM)
    second = token_poll(token, statement)
    assert second.enrolment_id != first.enrolment_id
    assert Enrolment.objects.get(public_id=first.enrolment_id).state == "expired"


def test_the_sweep_ends_it_once(token, moved_clock, settings):
    operation = make_operation(token)
    moved_clock.advance(seconds=settings.OPERATION_LIFETIME - 1)
    assert expire_enrolments() == 0
    moved_clock.advance(seconds=1)
    assert (expire_enrolments(), expire_enrolments()) == (1, 0)
    assert history_of(operation)[-1][1] == "expired"


def test_the_sweep_ends_what_a_revocation_left(token):
    operation = make_operation(token)
    type(token).objects.filter(pk=token.pk).update(revoked_at=now())
    assert expire_enrolments() == 1
    assert fresh(operation).state == "expired"


def test_its_poll_says_what_to_show(token):
    statement = bound_statement()
    pending = token_poll(token, statement)
    operation = Enrolment.objects.get(public_id=pending.enrolment_id)
    assert pending.verification_code == operation.verification_code
    assert pending.decide_until == operation.decide_until
    assert token_poll(token, statement) == pending


@pytest.mark.parametrize("make", [make_statement, bound_statement])
def test_after_the_approval_the_poll_is_given_the_credentials(token, make):
    statement = make()
    pending = token_poll(token, statement)
    device = approve_operation(operation=Enrolment.objects.get(public_id=pending.enrolment_id), actor=SYSTEM)
    document = read(token_poll(token, statement))
    assert document["deviceId"] == str(device.public_id)
    assert document["externalId"] == device.external_id
    assert "deviceSecretExpiresIn" not in document


def test_after_it_was_collected_a_plain_poller_is_refused(token):
    statement = make_statement()
    token_poll(token, statement)
    approve_operation(operation=find_operation(token=token, statement=statement), actor=SYSTEM)
    read(token_poll(token, statement))
    with pytest.raises(AlreadyProvisioned):
        token_poll(token, statement)


def test_after_a_decline_the_device_is_told_to_stay_away(token):
    statement = bound_statement()
    token_poll(token, statement)
    decline_operation(operation=find_operation(token=token, statement=statement), actor=SYSTEM)
    with pytest.raises(EnrolmentClosed) as caught:
        token_poll(token, statement)
    assert 3590 < caught.value.retry_after <= 3601


def test_a_superseded_poller_does_not_supersede_by_polling(token):
    serial = unique("SN")
    first, second = bound_statement(serial), bound_statement(serial)
    token_poll(token, first)
    token_poll(token, second)
    with pytest.raises(EnrolmentClosed):
        token_poll(token, first)
    assert isinstance(token_poll(token, second), Pending)


def test_with_automatic_approval_the_first_poll_is_given_the_credentials(automatic):
    statement = bound_statement()
    document = read(token_poll(automatic, statement))
    device = Device.objects.get(public_id=document["deviceId"])
    assert device.tenant == automatic.tenant
    operation = Enrolment.objects.get(device=device)
    assert [move[1] for move in history_of(operation)] == ["waiting", "unlocked", "delivered"]
    assert history_of(operation)[1][2] == "its provisioning token lets devices in"
    assert fresh(automatic).use_count == 1
    assert read(token_poll(automatic, statement)) == document


def test_with_automatic_approval_no_device_takes_the_place_of_another(automatic):
    without_serial(automatic, "sensor-01")
    read(token_poll(automatic, bound_statement("SN-1"), "sensor-02"))
    with pytest.raises(DeviceIdInUse):
        token_poll(automatic, bound_statement(), "sensor-02")
    with pytest.raises(SerialInUse):
        token_poll(automatic, bound_statement("sn1"))
    assert Device.objects.filter(tenant=automatic.tenant).count() == 2
    assert fresh(automatic).use_count == 2


def test_a_token_bound_to_one_device_takes_that_devices_place():
    token, _ = make_token(make_tenant(), approval=Approval.AUTOMATIC, device_id="press-7")
    first = read(token_poll(token, bound_statement("A-1")))
    second = read(token_poll(token, bound_statement("A-1")))
    assert first["externalId"] == second["externalId"] == "press-7"
    assert first["deviceId"] == second["deviceId"]
    assert first["deviceSecret"] != second["deviceSecret"]
    assert Device.objects.get(external_id="press-7").credentials.filter(revoked_at=None).count() == 1


@pytest.mark.parametrize("policy", DeviceIdPolicy)
def test_who_may_choose_the_id_is_the_tokens_affair(policy):
    token, _ = make_token(make_tenant(), device_id_policy=policy)
    if policy.lets_device_choose:
        assert without_serial(token, "asked-for").requested_id == "asked-for"
    else:
        with pytest.raises(DeviceIdNotAllowed):
            without_serial(token, "asked-for")
    if policy == DeviceIdPolicy.DEVICE_MUST:
        with pytest.raises(DeviceIdNotAllowed):
            without_serial(token)
    else:
        assert without_serial(token).requested_id == ""


def test_the_tokens_own_id_may_always_be_asked_for():
    token, _ = make_token(make_tenant(), device_id_policy=DeviceIdPolicy.FIXED, device_id="press-7")
    assert without_serial(token, "press-7").requested_id == "press-7"


@pytest.mark.parametrize("wrong", ["abc", "a" * 91, "bad id!", "käfer", "a\n\n\n"])
def test_what_is_no_device_id_is_refused(token, wrong):
    with pytest.raises(InvalidRequest):
        without_serial(token, wrong)


def test_a_product_that_lets_in_listed_ones_refuses_others():
    tenant = make_tenant()
    token, _ = make_token(tenant, product=make_listed_product(tenant, "AB-1"))
    make_operation(token, "ab1")
    for begin in (lambda: make_operation(token, "AB-2"), lambda: without_serial(token, "sensor-01")):
        with pytest.raises(SerialNotListed):
            begin()


def test_so_many_wait_with_one_token_and_no_more(token, settings):
    settings.OPERATIONS_PER_TOKEN = 2
    without_serial(token)
    without_serial(token, "sensor-01")
    with pytest.raises(TooManyOperations):
        without_serial(token)
    without_serial(token, "sensor-01")


def test_a_token_that_ended_begins_nothing(token):
    revoke_provisioning_token(token=token, actor=SYSTEM)
    with pytest.raises(Unauthenticated):
        begin_operation(token=fresh(token), statement=make_statement(), actor=SYSTEM)


def test_a_used_up_token_begins_nothing():
    token, _ = make_token(make_tenant(), use_limit=1, approval=Approval.AUTOMATIC)
    without_serial(token)
    with pytest.raises(TokenUsedUp):
        without_serial(fresh(token))


def test_a_revoked_token_still_hands_over_what_was_let_in(token):
    statement = bound_statement()
    token_poll(token, statement)
    approve_operation(operation=find_operation(token=token, statement=statement), actor=SYSTEM)
    revoke_provisioning_token(token=token, actor=SYSTEM)
    read(token_poll(fresh(token), statement))


def test_a_waiting_device_whose_token_was_revoked_is_refused(token):
    statement = bound_statement()
    token_poll(token, statement)
    revoke_provisioning_token(token=token, actor=SYSTEM)
    with pytest.raises(Unauthenticated):
        token_poll(fresh(token), statement)


def test_it_is_got_by_its_id_with_its_token_only(token, moved_clock, settings):
    operation = make_operation(token)
    other, _ = make_token(token.tenant)
    assert get_operation(token=token, operation_id=str(operation.public_id)) == operation
    for wrong in ((other, operation.public_id), (token, "nonsense"), (token, other.public_id)):
        with pytest.raises(NotFound):
            get_operation(token=wrong[0], operation_id=wrong[1])
    moved_clock.advance(seconds=settings.OPERATION_LIFETIME)
    assert get_operation(token=token, operation_id=operation.public_id).state == "expired"


def test_what_a_plain_poller_does_never_touches_an_operation(token):
    serial = unique("SN")
    operation = make_operation(token, serial)
    poll(bound_statement(serial))
    poll(bound_statement(serial))
    with pytest.raises(ContestedSerial):
        claim_by_serial(serial_number=serial, tenant=token.tenant, actor=SYSTEM)
    assert fresh(operation).state == "waiting"


def test_a_code_that_is_shown_somewhere_else_in_the_tenant_is_not_given_again(token, monkeypatch):
    from provisioning.services import operations

    codes = iter(["K7M2QX", "K7M2QX", "K7M2QX", "ABCDEF"])
    monkeypatch.setattr(operations, "make_code", lambda: next(codes))
    assert without_serial(token).verification_code == "K7M2QX"
    assert without_serial(make_token(make_tenant())[0]).verification_code == "K7M2QX"
    assert without_serial(token).verification_code == "ABCDEF"
