"""The list of devices."""

import pytest

from devices.models import Device, Membership, Role
from tests.base import make_device, make_product, make_statement
from tests.console.pages import is_whole_page, logged_in, part_of, text_of, url
from twins.models import Twin

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob(cast):
    return logged_in(cast.bob)


def test_without_devices_the_page_teaches_how_to_get_one(bob):
    shown = text_of(bob.get(url("devices")))
    assert "gangway-device provision --portal http://testserver --serial DEMO-1" in shown


def test_a_device_is_one_row(cast, bob):
    device = make_device(cast.tenant_a, name="Cold room", product=make_product(cast.tenant_a))
    shown = text_of(bob.get(url("devices")))
    for word in ("Cold room", device.serial_number, "Lamp", "eu", "in step", "never connected"):
        assert word in shown


def test_how_far_a_device_is_behind_is_counted(cast, bob):
    device = make_device(cast.tenant_a)
    twins = Twin.objects.filter(device=device)
    twins.update(desired={"a": 1, "b": {"c": 2}, "d": 3}, desired_version=3, reported={"a": 1, "b": {"c": 1}})
    assert "2 settings behind" in text_of(bob.get(url("devices")))
    twins.update(reported={"a": 1, "b": {"c": 2}})
    assert "1 setting behind" in text_of(bob.get(url("devices")))
    twins.update(acknowledged_version=3, acknowledgement="applied")
    assert "in step" in text_of(bob.get(url("devices")))
    twins.update(acknowledgement="failed")
    assert "failed to apply" in text_of(bob.get(url("devices")))


@pytest.mark.parametrize(
    ("query", "found"),
    [({"search": "cold"}, True), ({"search": "warm"}, False), ({"presence": "online"}, False)]
    + [({"presence": "offline"}, True), ({"product": "lamp"}, True), ({"product": "pump"}, False)]
    + [({"search": "\x00"}, True), ({"product": "\x00"}, True)],
)
def test_filters_are_in_the_address(cast, bob, query, found):
    make_device(cast.tenant_a, name="Cold room", product=make_product(cast.tenant_a))
    answer = bob.get(url("devices"), query)
    assert answer.status_code == 200
    assert ("Cold room" in text_of(answer)) is found


def test_a_search_that_could_be_a_code_leads_to_claim(bob):
    answer = bob.get(url("devices"), {"search": "k7m 2qx"})
    assert f"{url('claim')}?code=k7m%202qx" in answer.content.decode()


def test_pages_follow_one_another_without_counting(cast, bob, monkeypatch):
    from portal.console.views import devices

    monkeypatch.setattr(devices, "_PAGE", 2)
    names = [make_device(cast.tenant_a, name=f"Device {number}").name for number in range(5)]
    address, seen = url("devices"), []
    while address:
        content = bob.get(address).content.decode()
        seen += [name for name in reversed(names) if f">{name}</a>" in content]
        following = (
            content.split('rel="next"')[0].rsplit('href="', 1)[-1].split('"')[0] if 'rel="next"' in content else ""
        )
        address = f"{url('devices')}{following}" if following else ""
    assert seen == list(reversed(names))


@pytest.mark.parametrize("cursor", ["!", "x", "é", "A" * 300])
def test_a_broken_cursor_is_a_sentence(bob, cursor):
    answer = bob.get(url("devices"), {"after": cursor})
    assert answer.status_code in (200, 400)


def test_the_number_of_queries_does_not_grow_with_the_devices(cast, bob, django_assert_max_num_queries):
    for _ in range(3):
        make_device(cast.tenant_a, statement=make_statement())
    with django_assert_max_num_queries(9):
        bob.get(url("devices"))


def test_htmx_gets_the_rows_only(cast, bob):
    make_device(cast.tenant_a, name="Cold room")
    answer = bob.get(url("devices"), headers=part_of("rows"))
    assert not is_whole_page(answer)
    assert "Cold room" in text_of(answer)


def test_the_tenant_switcher_filters_and_is_remembered(cast, bob):
    assert b"switch-tenant" not in bob.get(url("devices")).content
    Membership.objects.create(user=cast.bob, tenant=cast.tenant_b, role=Role.VIEWER)
    make_device(cast.tenant_a, name="In A")
    make_device(cast.tenant_b, name="In B")
    assert {"A", "B"} == {name[-1] for name in ("In A", "In B") if name in text_of(bob.get(url("devices")))}
    answer = bob.post(url("switch-tenant"), {"tenant": str(cast.tenant_b.public_id), "next": url("devices")})
    assert answer["Location"] == url("devices")
    shown = text_of(bob.get(url("devices")))
    assert "In B" in shown and "In A" not in shown


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example/", "//elsewhere.example", ""])
def test_the_switcher_leads_nowhere_else(bob, cast, elsewhere):
    answer = bob.post(url("switch-tenant"), {"tenant": "", "next": elsewhere})
    assert answer["Location"] == url("devices")


def test_a_tenant_that_is_not_the_users_cannot_be_chosen(cast, bob):
    assert bob.post(url("switch-tenant"), {"tenant": str(cast.tenant_b.public_id)}).status_code == 404
    assert bob.post(url("switch-tenant"), {"tenant": "nonsense"}).status_code == 404


def test_a_deleted_device_is_not_listed(cast, bob):
    make_device(cast.tenant_a, state="retired", name="Gone")
    assert not Device.objects.present().exists()
    assert "Gone" not in text_of(bob.get(url("devices")))
