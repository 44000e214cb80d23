"""A device goes to another tenant."""

import pytest

from devices.errors import DeviceIdInUse, InvalidTransition, SerialInUse
from devices.models import Device, DeviceState, HistoryEntry, Session, Subject
from devices.services.credentials import authenticate_device
from provisioning.errors import SerialNotListed
from provisioning.services.claims import claim_by_serial
from provisioning.services.removal import delete_device
from provisioning.services.transfer import transfer_device
from tests.base import aboard, make_device, make_product, make_tenant, make_user
from tests.provisioning.ways.props import SYSTEM, connect, enrolments_of, fresh, make_listed_product
from twins.models import TwinChange
from twins.services.twins import change_desired, change_tags, get_twin

pytestmark = pytest.mark.django_db


def transfer(device, tenant, actor=SYSTEM):
    return transfer_device(device=device, to_tenant=tenant, actor=actor)


def test_it_belongs_to_the_other_tenant_and_goes_on_working():
    given, there = aboard(), make_tenant()
    device = transfer(given.device, there)
    assert device.tenant == there
    known = authenticate_device(device_id=given.device_id, secret=given.secret, network=None)
    assert known.tenant_id == there.public_id
    assert enrolments_of(device)[0].tenant == there


def test_its_session_ends_with_come_back(monkeypatch):
    from devices.services import sessions

    sent = []
    monkeypatch.setattr(sessions, "hint_process", lambda channel, message: sent.append(message))
    device = make_device()
    opened = connect(device)
    transfer(device, make_tenant())
    assert Session.objects.get(pk=opened.session_id).close_reason == "moved"
    assert [message["code"] for message in sent] == [1012]
    connect(fresh(device))


def test_what_people_wrote_goes_and_what_the_device_needs_stays():
    device = make_device()
    change_tags(device=device, patch={"room": "4", "note": {"a": 1}}, actor=SYSTEM)
    change_desired(device=device, patch={"rate": 5}, actor=SYSTEM)
    transfer(device, make_tenant())
    twin = get_twin(device_id=device.pk)
    assert (twin.tags, twin.desired, twin.desired_version) == ({}, {"rate": 5}, 1)
    assert twin.tags_version == 2
    assert set(TwinChange.objects.filter(twin=twin).values_list("section", flat=True)) == {"desired"}


def test_both_tenants_have_it_in_their_history():
    device, there = make_device(), make_tenant()
    here = device.tenant
    transfer(device, there)
    rows = HistoryEntry.objects.filter(subject=Subject.DEVICE, subject_id=device.public_id).order_by("-pk")[:2]
    assert {(row.tenant, row.reason) for row in rows} == {
        (here, "transferred to another tenant"),
        (there, "transferred from another tenant"),
    }
    assert not HistoryEntry.objects.filter(tenant=here, reason__contains=there.name).exists()


@pytest.mark.parametrize("same_there", [True, False])
def test_its_product_becomes_the_one_with_the_same_code_or_none(same_there):
    here, there = make_tenant(), make_tenant()
    expected = make_product(there) if same_there else None
    device = make_device(here, product=make_product(here))
    assert transfer(device, there).product == expected


def test_who_did_it_is_who_let_it_in():
    user, device = make_user(), make_device()
    from devices.actors import Actor

    transfer(device, make_tenant(), Actor.user(user.pk))
    assert fresh(device).claimed_by == user


def test_it_stays_when_it_is_there_already():
    device = make_device()
    with pytest.raises(InvalidTransition):
        transfer(device, device.tenant)


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
def test_only_an_active_device_goes(state):
    device = make_device()
    Device.objects.filter(pk=device.pk).update(state=state)
    with pytest.raises(InvalidTransition):
        transfer(device, make_tenant())


def test_a_device_that_has_not_come_stays():
    device = claim_by_serial(serial_number="NN-1", tenant=make_tenant(), actor=SYSTEM)
    with pytest.raises(InvalidTransition):
        transfer(device, make_tenant())


def test_a_device_like_it_there_keeps_it_here(moved_clock):
    from provisioning.services.windows import re_enable

    device, there = make_device(), make_tenant()
    connect(device)
    # Its serial number is free for another tenant while it is not aboard.
    re_enable(device=Device.objects.select_related("tenant", "product").get(pk=device.pk), actor=SYSTEM)
    moved_clock.advance(days=1)
    twin = claim_by_serial(serial_number=device.serial_number, tenant=there, actor=SYSTEM)
    with pytest.raises(SerialInUse):
        transfer(device, there)
    assert fresh(device).tenant != there
    assert get_twin(device_id=twin.pk)


def test_a_device_with_its_id_there_keeps_it_here():
    device, other = make_device(), make_device()
    Device.objects.filter(pk__in=[device.pk, other.pk]).update(external_id="press-7")
    with pytest.raises(DeviceIdInUse):
        transfer(fresh(device), other.tenant)


def test_a_product_there_that_lets_in_listed_ones_refuses_it():
    here, there = make_tenant(), make_tenant()
    listed = make_listed_product(there, "OTHER-1")
    device = make_device(here, product=make_product(here, listed.code))
    with pytest.raises(SerialNotListed):
        transfer(device, there)


def test_it_can_be_deleted_there():
    device = make_device()
    transfer(device, make_tenant())
    delete_device(device=fresh(device), actor=SYSTEM)
    assert enrolments_of(device)[0].state == "superseded"
