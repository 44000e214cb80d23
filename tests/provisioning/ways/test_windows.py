"""A serial number is let in before any device came: for a while, the first poller is the device."""

from datetime import timedelta

import pytest

from devices.errors import InvalidRequest, InvalidTransition, SerialInUse
from devices.models import Device, DeviceState, HistoryEntry, Subject
from portal.lib.clock import now
from provisioning.errors import (
    AlreadyProvisioned,
    ContestedSerial,
    SerialNotListed,
    SerialNotWaiting,
    TooManyWindows,
    WrongPoller,
)
from provisioning.models import Enrolment
from provisioning.services.claims import claim_by_serial
from provisioning.services.codes import issue_code
from provisioning.services.enrolments import Statement
from provisioning.services.expiry import expire_enrolments
from provisioning.services.handover import HandOver
from provisioning.services.polling import Pending
from provisioning.services.removal import delete_device
from provisioning.services.windows import open_until, open_window
from tests.base import make_enrolment, make_product, make_statement, make_tenant, poll, unique
from tests.provisioning.ways.props import (
    SYSTEM,
    bound_statement,
    enrolments_of,
    fresh,
    history_of,
    make_listed_product,
    moves_of,
    poll_from,
    read,
)

pytestmark = pytest.mark.django_db


def claim(serial, tenant=None, **kw):
    return claim_by_serial(serial_number=serial, tenant=tenant or make_tenant(), actor=SYSTEM, **kw)


def test_an_unknown_serial_number_opens_a_window_of_a_day(moved_clock):
    device = claim(unique("SN"), name="Pump")
    (enrolment,) = enrolments_of(device)
    assert (enrolment.state, enrolment.poller_kind) == ("unlocked", "unbound")
    assert enrolment.window_until == now() + timedelta(days=1) == open_until(device=device)
    assert moves_of(enrolment) == ["waiting", "unlocked"]
    assert device.name == "Pump"


def test_the_product_says_how_long_the_window_is(moved_clock):
    tenant = make_tenant()
    product = make_product(tenant)
    product.activation_window = 120
    product.save()
    device = claim(unique("SN"), tenant, product=product)
    assert open_until(device=device) == now() + timedelta(seconds=120)


@pytest.mark.parametrize("make", [make_statement, bound_statement])
def test_the_first_poller_is_given_the_credentials_in_the_same_answer(make):
    serial = unique("SN")
    device = claim(serial)
    document = read(poll_from("198.51.100.9", make(serial)))
    assert document["deviceId"] == str(device.public_id)
    (enrolment,) = enrolments_of(device)
    assert (enrolment.state, enrolment.network) == ("delivered", "198.51.100.9")
    assert history_of(enrolment)[-1] == ("unlocked", "delivered", "the first to poll within the window")
    taken = HistoryEntry.objects.filter(subject=Subject.ENROLMENT, to_state="delivered").latest("pk")
    assert taken.network == "198.51.100.9"


def test_a_poller_with_a_token_is_given_the_same_again_and_others_nothing():
    serial, mine = unique("SN"), None
    claim(serial)
    mine = bound_statement(serial)
    assert read(poll(mine)) == read(poll(mine))
    with pytest.raises(WrongPoller):
        poll(bound_statement(serial))
    with pytest.raises(WrongPoller):
        poll(make_statement(serial))


def test_after_a_plain_poller_took_it_everybody_is_refused():
    serial = unique("SN")
    claim(serial)
    read(poll(make_statement(serial)))
    for statement in (make_statement(serial), bound_statement(serial)):
        with pytest.raises(AlreadyProvisioned):
            poll(statement)


def test_the_serial_number_is_compared_as_people_write_it():
    serial = unique("sn").upper()
    device = claim(f" {serial.lower()} ")
    assert read(poll(make_statement(serial)))["deviceId"] == str(device.public_id)


def test_a_device_that_asks_for_a_code_is_told_to_poll():
    serial = unique("SN")
    claim(serial)
    with pytest.raises(InvalidTransition):
        issue_code(statement=make_statement(serial), actor=SYSTEM)


def test_after_the_window_the_device_is_retired_and_the_serial_number_free(moved_clock):
    serial = unique("SN")
    device = claim(serial)
    moved_clock.advance(days=1)
    assert open_until(device=device) is None
    assert isinstance(poll(make_statement(serial)), Pending)
    device = fresh(device)
    assert device.state == DeviceState.RETIRED
    assert enrolments_of(device)[0].state == "expired"
    assert history_of(device)[-1][2] == "it never collected its credentials"
    assert claim(serial).pk != device.pk


def test_until_the_window_is_over_it_stands(moved_clock):
    serial = unique("SN")
    claim(serial)
    moved_clock.advance(days=1, seconds=-1)
    assert expire_enrolments() == 0
    assert isinstance(poll(make_statement(serial)), HandOver)


def test_the_sweep_ends_windows_once(moved_clock):
    device = claim(unique("SN"))
    moved_clock.advance(days=1)
    assert expire_enrolments() == 1
    assert expire_enrolments() == 0
    assert fresh(device).state == DeviceState.RETIRED


def test_the_end_of_a_window_does_not_need_the_sweep_for_the_next_claim(moved_clock):
    serial = unique("SN")
    tenant = make_tenant()
    device = claim(serial, tenant)
    moved_clock.advance(days=1)
    assert claim(serial, tenant).pk != device.pk


def test_a_device_that_waits_is_let_in_at_once_and_not_by_a_window():
    statement = make_statement()
    make_enrolment(statement.serial_number)
    device = claim(statement.serial_number)
    assert open_until(device=device) is None
    assert enrolments_of(device)[0].poller_kind == "plain"


def test_two_that_wait_are_refused():
    serial = unique("SN")
    poll(bound_statement(serial))
    poll(bound_statement(serial))
    with pytest.raises(ContestedSerial):
        claim(serial)
    assert not Device.objects.filter(serial_number=serial).exists()


def test_a_serial_number_is_let_in_once():
    serial, tenant = unique("SN"), make_tenant()
    claim(serial, tenant)
    with pytest.raises(SerialInUse):
        claim(serial, tenant)
    with pytest.raises(SerialNotWaiting):
        claim(serial)
    assert Device.objects.filter(serial_number=serial).count() == 1


@pytest.mark.parametrize("text", ["", " ", "x" * 65, "käfer", "--"])
def test_what_is_no_serial_number_is_refused(text):
    with pytest.raises(InvalidRequest):
        claim(text)


def test_a_product_that_lets_in_listed_ones_refuses_others():
    tenant = make_tenant()
    product = make_listed_product(tenant, "AB-1")
    with pytest.raises(SerialNotListed):
        claim("AB-2", tenant, product=product)
    assert claim("ab1", tenant, product=product).product == product


def test_a_tenant_lets_in_only_so_many_that_have_not_come(settings, moved_clock):
    settings.ACTIVATION_WINDOWS_PER_TENANT = 2
    tenant = make_tenant()
    claim(unique("SN"), tenant)
    claim(unique("SN"), tenant)
    with pytest.raises(TooManyWindows):
        claim(unique("SN"), tenant)
    claim(unique("SN"))
    moved_clock.advance(days=1)
    claim(unique("SN"), tenant)


def test_a_deleted_device_leaves_no_window():
    serial = unique("SN")
    delete_device(device=claim(serial), actor=SYSTEM)
    assert isinstance(poll(make_statement(serial)), Pending)


def test_a_poller_that_began_at_the_same_moment_takes_the_window(monkeypatch):
    """The claim looked before the poller's row was there."""
    from provisioning.services import windows

    serial, statement = unique("SN"), None
    statement = bound_statement(serial)
    whole = windows.let_in

    def let_in(**kw):
        poll(statement)
        return whole(**kw)

    monkeypatch.setattr(windows, "let_in", let_in)
    # In this order the poller finds the window itself.
    device = open_window(serial_number=serial, tenant=make_tenant(), actor=SYSTEM)
    assert read(poll(statement))["deviceId"] == str(device.public_id)


def test_a_poller_that_did_not_see_the_window_yields_to_it(monkeypatch):
    from provisioning.services import enrolments

    serial = unique("SN")
    device = claim(serial)
    seen, looks = enrolments.live_enrolments, []

    def blind_at_first(**kw):
        looks.append(kw)
        return [] if len(looks) == 1 else seen(**kw)

    monkeypatch.setattr(enrolments, "live_enrolments", blind_at_first)
    statement = bound_statement(serial)
    assert enrolments.find_or_begin(statement=statement, actor=SYSTEM).device == device
    assert len(looks) == 2
    assert not Enrolment.objects.filter(serial_number=serial, state="waiting").exists()
    assert read(poll(statement))["deviceId"] == str(device.public_id)


def test_what_the_device_says_about_itself_is_kept():
    serial = unique("SN")
    device = claim(serial)
    read(poll(Statement(serial, product="lamp", attributes={"fw": "1.2"})))
    assert fresh(device).attributes == {"fw": "1.2"}
    assert enrolments_of(device)[0].stated_product == "lamp"
