"""/api/v1/devices and /api/v1/devices/{id}."""

import base64

import pytest

from devices.models import Credential, Device
from devices.services.sessions import open_session, register_process
from tests.base import api_client, make_device, make_product, make_statement, no_such_id, poll
from tests.http import assert_problem

pytestmark = pytest.mark.django_db
DEVICES = "/api/v1/devices"


def listed(user, **query):
    answer = api_client(user).get(DEVICES, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(page):
    return [device["id"] for device in page["devices"]]


def test_the_newest_come_first_and_retired_ones_not_at_all(cast):
    first, second = make_device(cast.tenant_a), make_device(cast.tenant_a)
    make_device(cast.tenant_a, state="retired")
    make_device(cast.tenant_b)
    page = listed(cast.vera)
    assert ids(page) == [str(second.public_id), str(first.public_id)]
    assert page["next"] is None


def test_pages_stay_true_while_devices_come_and_go(cast):
    devices = [make_device(cast.tenant_a) for _ in range(7)]
    expected = [str(device.public_id) for device in reversed(devices)]
    first = listed(cast.alice, limit=3)
    assert ids(first) == expected[:3]
    make_device(cast.tenant_a)
    api_client(cast.alice).delete(f"{DEVICES}/{expected[0]}")
    second = listed(cast.alice, limit=3, after=first["next"])
    assert ids(second) == expected[3:6]
    third = listed(cast.alice, limit=3, after=second["next"])
    assert (ids(third), third["next"]) == (expected[6:], None)


def test_a_page_that_just_fits_is_the_last(cast):
    make_device(cast.tenant_a)
    assert listed(cast.alice, limit=1)["next"] is None


@pytest.mark.parametrize(
    "limit", ["0", "201", "-1", "1.5", "x", "\u0665", "00000199999999", "000001" + "9" * 5000, " 1"]
)
def test_a_limit_is_a_number_from_1_to_200(cast, limit):
    document = assert_problem(api_client(cast.alice).get(DEVICES, {"limit": limit}), 400, "invalid-request")
    assert document["errors"][0]["field"] == "limit"


@pytest.mark.parametrize(
    "cursor",
    ["x", "é", "%00", "ZDE\n", "d1", base64.b64encode(b"d-1").decode(), base64.b64encode(b"1").decode(), "=" * 9]
    + [base64.b64encode("d²".encode()).decode()],
)
def test_a_forged_cursor_is_refused(cast, cursor):
    document = assert_problem(api_client(cast.alice).get(DEVICES, {"after": cursor}), 400, "invalid-request")
    assert document["errors"][0]["field"] == "after"


def test_a_cursor_shows_nothing_of_another_tenant(cast):
    make_device(cast.tenant_a)
    cursor = base64.urlsafe_b64encode(b"d999999999999999999999").decode().rstrip("=")
    assert listed(cast.charlie, after=cursor)["devices"] == []


def test_search_finds_serial_numbers_names_and_ids(cast):
    lamp = make_device(cast.tenant_a, statement=make_statement("AB-12 34"), name="Hall lamp")
    make_device(cast.tenant_a, statement=make_statement("XY-1"), name="Door")
    for text in ("ab12", "AB-1", " ab-12 34 ", "hall", "HALL L", str(lamp.public_id), str(lamp.public_id).upper()):
        assert ids(listed(cast.alice, search=text)) == [str(lamp.public_id)], text
    for text in ("lamp", "12", "%", "_", "-", "\x00", "\ufffd", no_such_id()):
        assert ids(listed(cast.alice, search=text)) == [], text


def test_filters_by_tenant(cast):
    device = make_device(cast.tenant_a)
    assert ids(listed(cast.alice, tenant=cast.tenant_a.public_id)) == [str(device.public_id)]
    for tenant in (cast.tenant_b.public_id, no_such_id(), "nonsense"):
        assert_problem(api_client(cast.alice).get(DEVICES, {"tenant": tenant}), 404, "not-found")


def test_filters_by_presence(cast):
    online, offline = make_device(cast.tenant_a), make_device(cast.tenant_a)
    process = register_process(channel="nowhere")
    credential = Credential.objects.get(device=online)
    open_session(device_id=online.pk, credential_id=credential.pk, process_id=process.pk, network=None)
    assert ids(listed(cast.alice, presence="online")) == [str(online.public_id)]
    assert ids(listed(cast.alice, presence="offline")) == [str(offline.public_id)]
    assert len(listed(cast.alice)["devices"]) == 2
    assert listed(cast.alice, presence="online")["devices"][0]["presence"]["state"] == "online"


def test_a_list_costs_the_same_however_long_it_is(cast, django_assert_max_num_queries):
    client = api_client(cast.alice)
    client.get(DEVICES)
    for _ in range(3):
        make_device(cast.tenant_a, product=make_product(cast.tenant_a, make_statement().serial_number))
    with django_assert_max_num_queries(3):
        assert len(client.get(DEVICES).json()["devices"]) == 3


def test_a_device_can_be_read_and_named(cast):
    device = make_device(cast.tenant_a)
    url = f"{DEVICES}/{device.public_id}"
    assert api_client(cast.vera).get(url).json()["serialNumber"] == device.serial_number
    answer = api_client(cast.bob).patch(url, {"name": " New  name "}, format="json")
    assert (answer.status_code, answer.json()["name"]) == (200, "New name")
    assert Device.objects.get(pk=device.pk).name == "New name"
    for name in ("", "  ", "x" * 101, "a\x07", None):
        assert_problem(api_client(cast.bob).patch(url, {"name": name}, format="json"), 400, "invalid-request")
    assert_problem(api_client(cast.vera).patch(url, {"name": "x"}, format="json"), 403, "forbidden")


def test_an_administrator_deletes_a_device_and_its_serial_number_may_start_over(cast):
    statement = make_statement()
    device = make_device(cast.tenant_a, statement=statement)
    url = f"{DEVICES}/{device.public_id}"
    for user in (cast.vera, cast.bob):
        assert_problem(api_client(user).delete(url), 403, "forbidden")
    answer = api_client(cast.alice).delete(url)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not Credential.objects.filter(device=device, revoked_at=None).exists()
    assert_problem(api_client(cast.alice).get(url), 404, "not-found")
    assert_problem(api_client(cast.alice).delete(url), 404, "not-found")
    assert poll(statement)


def test_an_id_that_is_none_is_not_found(cast):
    for name in ("1", "x", no_such_id(), no_such_id()[:-1]):
        assert_problem(api_client(cast.alice).get(f"{DEVICES}/{name}"), 404, "not-found")
