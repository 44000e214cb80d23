"""Of many who want one thing, one gets it; and what two do at once ends in one of both."""

from functools import partial

import pytest

from devices.errors import InvalidTransition, Unauthenticated
from devices.models import Credential, Device, Session
from provisioning.errors import AlreadyProvisioned, EnrolmentClosed, TokenUsedUp, WrongPoller
from provisioning.models import Enrolment
from provisioning.services.approvals import approve_operation, decline_operation
from provisioning.services.claims import claim_by_serial
from provisioning.services.enrolments import expire_enrolment
from provisioning.services.expiry import expire_enrolments
from provisioning.services.handover import HandOver
from provisioning.services.operations import find_operation
from provisioning.services.polling import Pending
from provisioning.services.tokens import revoke_provisioning_token
from provisioning.services.windows import re_enable
from provisioning.token_models import Approval
from tests.base import aboard, make_statement, make_tenant, poll, unique
from tests.provisioning.ways.props import (
    SYSTEM,
    bound_statement,
    connect,
    enrolments_of,
    fresh,
    make_operation,
    make_token,
    moves_of,
    poll_from,
    read,
    token_poll,
    without_serial,
)
from tests.racing import kinds, race


@pytest.mark.parametrize("use_limit", [1, 5])
def test_twenty_devices_do_not_exceed_a_tokens_limit(live_db, use_limit):
    token, _ = make_token(make_tenant(), use_limit=use_limit, approval=Approval.AUTOMATIC)
    outcomes = race([partial(token_poll, token, bound_statement()) for _ in range(20)])
    assert kinds(outcomes) == {HandOver: use_limit, TokenUsedUp: 20 - use_limit}
    assert fresh(token).use_count == use_limit
    assert Device.objects.filter(tenant=token.tenant).count() == use_limit


def test_twenty_approvals_do_not_exceed_a_tokens_limit(live_db):
    token, _ = make_token(make_tenant(), use_limit=7)
    operations = [without_serial(token) for _ in range(20)]
    outcomes = race([partial(approve_operation, operation=row, actor=SYSTEM) for row in operations])
    assert kinds(outcomes) == {Device: 7, TokenUsedUp: 13}
    assert fresh(token).use_count == 7


@pytest.mark.parametrize("make", [make_statement, bound_statement])
def test_of_twenty_pollers_one_takes_the_window(live_db, make):
    serial = unique("SN")
    device = claim_by_serial(serial_number=serial, tenant=make_tenant(), actor=SYSTEM)
    outcomes = race([partial(poll_from, f"192.0.2.{n}", make(serial)) for n in range(1, 21)])
    assert kinds(outcomes)[HandOver] == 1, outcomes
    assert set(kinds(outcomes)) <= {HandOver, WrongPoller, AlreadyProvisioned}
    (enrolment,) = enrolments_of(device)
    won = next(n for n, outcome in enumerate(outcomes, 1) if isinstance(outcome, HandOver))
    assert enrolment.network == f"192.0.2.{won}"
    assert moves_of(enrolment) == ["waiting", "unlocked", "delivered"]
    assert Credential.objects.filter(device=device).count() == 1


@pytest.mark.parametrize("attempt", range(5))
def test_a_poller_that_begins_while_the_window_opens_is_not_stranded(live_db, attempt):
    serial = unique("SN")
    statement = bound_statement(serial)
    claim = partial(claim_by_serial, serial_number=serial, tenant=make_tenant(), actor=SYSTEM)
    outcomes = race([claim, *[partial(poll, statement)] * 3])
    assert isinstance(outcomes[0], Device), outcomes
    assert set(kinds(outcomes[1:])) <= {HandOver, Pending}
    assert read(poll(statement))["deviceId"] == str(outcomes[0].public_id)
    assert not Enrolment.objects.filter(serial_number=serial, state="waiting").exists()


@pytest.mark.parametrize("attempt", range(3))
def test_a_window_that_ends_while_it_is_taken_is_one_or_the_other(live_db, attempt, moved_clock):
    serial = unique("SN")
    device = claim_by_serial(serial_number=serial, tenant=make_tenant(), actor=SYSTEM)
    enrolment = enrolments_of(device)[0]
    outcomes = race([partial(poll, bound_statement(serial)), partial(expire_enrolment, enrolment=enrolment)])
    state = fresh(enrolment).state
    assert state in ("delivered", "expired")
    assert isinstance(outcomes[0], HandOver) == (state == "delivered")
    assert fresh(device).state == ("active" if state == "delivered" else "retired")


@pytest.mark.parametrize("attempt", range(3))
def test_approve_decline_expire_and_revoke_end_in_one_of_them(live_db, attempt):
    token, _ = make_token(make_tenant())
    operation = make_operation(token)
    contestants = [
        partial(approve_operation, operation=fresh(operation), actor=SYSTEM),
        partial(decline_operation, operation=fresh(operation), actor=SYSTEM),
        partial(expire_enrolment, enrolment=fresh(operation)),
        partial(revoke_provisioning_token, token=fresh(token), actor=SYSTEM),
    ]
    outcomes = race(contestants)
    state = fresh(operation).state
    assert state in ("unlocked", "declined", "expired"), outcomes
    assert moves_of(operation) == ["waiting", state]
    assert isinstance(outcomes[0], Device) == (state == "unlocked")
    assert Device.objects.filter(tenant=token.tenant).count() == fresh(token).use_count == (state == "unlocked")


def test_many_first_polls_of_one_device_begin_one_operation(live_db):
    token, _ = make_token(make_tenant())
    statement = bound_statement()
    outcomes = race([partial(token_poll, token, statement)] * 10)
    assert set(kinds(outcomes)) <= {Pending, EnrolmentClosed}
    assert Enrolment.objects.filter(token=token, state="waiting").count() == 1


def test_two_operations_for_one_device_end_with_one_credential(live_db):
    token, _ = make_token(make_tenant())
    other, _ = make_token(token.tenant)
    first, second = bound_statement(), bound_statement()
    for each, statement in ((token, first), (other, second)):
        token_poll(each, statement, "sensor-01")
    approve_operation(operation=without_serial(token, "sensor-01"), actor=SYSTEM)
    race(
        partial(approve_operation, operation=find_operation(token=each, statement=statement), actor=SYSTEM)
        for each, statement in ((token, first), (other, second))
    )
    device = Device.objects.get(tenant=token.tenant, external_id="sensor-01")
    assert [row.state for row in enrolments_of(device)].count("unlocked") == 1


@pytest.mark.parametrize("attempt", range(5))
def test_a_device_that_connects_while_it_is_enabled_anew_is_not_left_connected(live_db, attempt):
    given = aboard()
    device = Device.objects.select_related("tenant", "product").get(pk=given.device.pk)
    outcomes = race([partial(connect, device), partial(re_enable, device=device, actor=SYSTEM)])
    assert isinstance(outcomes[1], Device), outcomes
    assert not isinstance(outcomes[0], Exception) or isinstance(outcomes[0], Unauthenticated | Credential.DoesNotExist)
    assert not Session.objects.open().filter(device=device).exists()
    assert not Credential.objects.filter(device=device, revoked_at=None).exists()


def test_two_that_enable_anew_leave_one_window(live_db):
    given = aboard()
    device = Device.objects.select_related("tenant", "product").get(pk=given.device.pk)
    outcomes = race([partial(re_enable, device=device, actor=SYSTEM)] * 6)
    assert set(kinds(outcomes)) <= {Device, InvalidTransition}
    assert kinds(outcomes)[Device] >= 1
    assert [row.state for row in enrolments_of(device)].count("unlocked") == 1


def test_two_sweeps_share_the_work(live_db, moved_clock):
    expire_enrolments()
    token, _ = make_token(make_tenant())
    operations = [without_serial(token) for _ in range(30)]
    moved_clock.advance(hours=2)
    race([expire_enrolments] * 4)
    assert {fresh(row).state for row in operations} == {"expired"}
    assert all(moves_of(row) == ["waiting", "expired"] for row in operations)
