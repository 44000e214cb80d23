"""The same device comes aboard anew."""

import pytest

from devices.errors import InvalidTransition, Unauthenticated
from devices.models import Device, DeviceState, Session
from devices.services.credentials import authenticate_device
from provisioning.errors import AlreadyProvisioned, ContestedSerial
from provisioning.models import Enrolment
from provisioning.services.claims import claim_by_serial
from provisioning.services.expiry import expire_enrolments
from provisioning.services.polling import Pending
from provisioning.services.windows import open_until, re_enable
from provisioning.token_models import Approval
from tests.base import aboard, make_device, make_statement, make_tenant, poll
from tests.provisioning.ways.props import (
    SYSTEM,
    bound_statement,
    connect,
    enrolments_of,
    fresh,
    make_token,
    moves_of,
    read,
    token_poll,
)
from twins.services.twins import change_desired, get_twin

pytestmark = pytest.mark.django_db


def whole(device):
    return Device.objects.select_related("tenant", "product").get(pk=device.pk)


def test_old_credentials_die_at_once_and_the_next_poll_is_given_new_ones():
    given = aboard()
    device = whole(given.device)
    re_enable(device=device, actor=SYSTEM)
    with pytest.raises(Unauthenticated):
        authenticate_device(device_id=given.device_id, secret=given.secret, network=None)
    document = read(poll(make_statement(device.serial_number)))
    assert document["deviceId"] == given.device_id
    assert document["deviceSecret"] != given.secret
    assert authenticate_device(device_id=given.device_id, secret=document["deviceSecret"], network=None)


def test_the_twin_and_the_name_stay():
    device = whole(make_device(name="Pump"))
    change_desired(device=device, patch={"a": 1}, actor=SYSTEM)
    generation = get_twin(device_id=device.pk).generation
    re_enable(device=device, actor=SYSTEM)
    read(poll(make_statement(device.serial_number)))
    twin = get_twin(device_id=device.pk)
    assert (twin.generation, twin.desired, twin.desired_version) == (generation, {"a": 1}, 1)
    assert fresh(device).name == "Pump"


def test_the_live_session_is_ended():
    device = whole(make_device())
    opened = connect(device)
    re_enable(device=device, actor=SYSTEM)
    session = Session.objects.get(pk=opened.session_id)
    assert session.close_reason == "revoked"
    assert fresh(device).session_epoch > opened.epoch


def test_the_old_enrolment_is_superseded_and_the_first_connection_confirms_the_new_one():
    device = whole(make_device())
    connect(device)
    re_enable(device=device, actor=SYSTEM)
    read(poll(make_statement(device.serial_number)))
    connect(device)
    old, new = enrolments_of(device)
    assert (old.state, new.state) == ("superseded", "confirmed")
    assert moves_of(new) == ["waiting", "unlocked", "delivered", "confirmed"]


def test_after_the_window_the_device_stays_and_has_to_be_enabled_again(moved_clock):
    device = whole(make_device())
    re_enable(device=device, actor=SYSTEM)
    moved_clock.advance(days=1)
    assert expire_enrolments() == 1
    assert fresh(device).state == DeviceState.ACTIVE
    statement = make_statement(device.serial_number)
    assert isinstance(poll(statement), Pending)
    re_enable(device=device, actor=SYSTEM)
    assert read(poll(statement))["deviceId"] == str(device.public_id)


def test_it_may_be_enabled_anew_before_it_ever_came(moved_clock):
    device = claim_by_serial(serial_number="ZZ-99", tenant=make_tenant(), actor=SYSTEM)
    moved_clock.advance(hours=23)
    re_enable(device=whole(device), actor=SYSTEM)
    moved_clock.advance(hours=23)
    assert open_until(device=device)
    assert read(poll(make_statement("ZZ-99")))["deviceId"] == str(device.public_id)


def test_an_unlocked_device_is_not_retired_by_it():
    device = whole(make_device(state="unlocked"))
    re_enable(device=device, actor=SYSTEM)
    assert fresh(device).state == DeviceState.ACTIVE


def test_another_poller_is_refused_until_it_is_enabled_anew():
    device = whole(make_device())
    with pytest.raises(AlreadyProvisioned):
        poll(bound_statement(device.serial_number))
    re_enable(device=device, actor=SYSTEM)
    read(poll(bound_statement(device.serial_number)))


def test_it_is_refused_while_two_wait(moved_clock):
    device = whole(make_device())
    re_enable(device=device, actor=SYSTEM)
    moved_clock.advance(days=1)
    poll(bound_statement(device.serial_number))
    poll(bound_statement(device.serial_number))
    with pytest.raises(ContestedSerial):
        re_enable(device=device, actor=SYSTEM)


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
def test_only_an_active_device_can_be_enabled_anew(state):
    device = whole(make_device())
    Device.objects.filter(pk=device.pk).update(state=state)
    with pytest.raises(InvalidTransition):
        re_enable(device=device, actor=SYSTEM)
    assert fresh(device).credentials.filter(revoked_at=None).exists()
    assert Enrolment.objects.get(device=device).state == "delivered"


def test_nothing_is_changed_when_another_tenant_let_the_serial_number_in(moved_clock):
    device = whole(make_device())
    re_enable(device=device, actor=SYSTEM)
    moved_clock.advance(days=1)
    other = claim_by_serial(serial_number=device.serial_number, tenant=make_tenant(), actor=SYSTEM)
    with pytest.raises(InvalidTransition):
        re_enable(device=device, actor=SYSTEM)
    assert open_until(device=other)


def test_a_device_with_a_token_takes_its_window_too():
    token, _ = make_token(make_tenant(), approval=Approval.AUTOMATIC)
    statement = bound_statement()
    first = read(token_poll(token, statement))
    device = whole(Device.objects.get(public_id=first["deviceId"]))
    re_enable(device=device, actor=SYSTEM)
    second = read(token_poll(token, statement))
    assert second["deviceId"] == first["deviceId"] and second["deviceSecret"] != first["deviceSecret"]
    assert [row.state for row in enrolments_of(device)] == ["superseded", "delivered"]


def test_a_token_of_another_tenant_is_not_given_the_window():
    device = whole(make_device())
    re_enable(device=device, actor=SYSTEM)
    other, _ = make_token(make_tenant())
    assert isinstance(token_poll(other, make_statement(device.serial_number)), Pending)
    assert open_until(device=device)
