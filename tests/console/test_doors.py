"""Who may see and do what on pages."""

import pytest
from django.test import Client

from devices.models import Device
from tests.base import make_code, make_device, make_enrolment, no_such_id
from tests.console.pages import HTMX, device_urls, log_in_by_form, logged_in, part_of, text_of, url

# What pages show does not depend on the database.
pytestmark = [pytest.mark.django_db, pytest.mark.once]

PLACES = ["home", "claim", "waiting", "devices", "products", "activity", "settings", "provisioning-tokens"]


@pytest.mark.parametrize("place", PLACES)
def test_somebody_who_is_not_logged_in_is_led_to_the_login_and_back(cast, place):
    client = Client()
    answer = client.get(url(place))
    assert answer.status_code == 302
    assert answer["Location"] == f"{url('login')}?next={url(place)}"


def test_a_part_of_a_page_never_becomes_a_login_page(cast):
    answer = Client(headers=HTMX).get(url("devices"))
    assert answer["HX-Refresh"] == "true"
    assert answer.content == b""


def test_a_device_of_another_tenant_does_not_exist(cast):
    device = make_device(cast.tenant_a)
    outsider = logged_in(cast.charlie)
    for address in device_urls(device.public_id):
        assert outsider.get(address).status_code == 404, address
        assert outsider.get(address, headers=HTMX).content.count(device.name.encode()) == 0
    for address in device_urls(device.public_id)[1:]:
        assert outsider.post(address, {"name": device.name}).status_code == 404, address
    assert device.name not in text_of(outsider.get(url("devices")))
    found = text_of(outsider.get(url("devices"), {"search": device.serial_number}))
    assert "No device matches" in found
    assert device.name not in text_of(outsider.get(url("activity")))
    assert cast.tenant_a.name not in text_of(outsider.get(url("settings")))


def test_an_outsider_cannot_tell_a_foreign_device_from_none(cast):
    device = make_device(cast.tenant_a)
    outsider = logged_in(cast.charlie, headers={"X-Request-Id": "the-same-one"})
    foreign, unknown = (outsider.get(url("device", one)) for one in (device.public_id, no_such_id()))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content


def test_staff_see_no_devices_of_tenants_they_are_no_members_of(cast):
    device = make_device(cast.tenant_a)
    staff = logged_in(cast.dora)
    assert device.name not in text_of(staff.get(url("devices")))
    assert staff.get(url("device", device.public_id)).status_code == 404


def test_a_viewer_may_look_but_change_nothing(cast):
    device = make_device(cast.tenant_a)
    viewer = logged_in(cast.vera)
    for address in device_urls(device.public_id):
        assert viewer.get(address).status_code == 200, address
    for name in ("device", "device-twin", "device-access"):
        answer = viewer.post(url(name, device.public_id), {"name": device.name, "pointer": "a", "value": "1"})
        assert answer.status_code == 403
        assert "This needs the role" in text_of(answer)
    device.refresh_from_db()
    assert device.state == "active"


def test_a_viewer_is_told_that_they_cannot_claim(cast):
    viewer = logged_in(cast.vera)
    page = viewer.get(url("claim"))
    assert "Your role allows you to look, not to let devices in" in text_of(page)
    assert b'id="entry"' not in page.content
    issued = make_code()
    for verb in ("find", "claim", "open-window", "decline"):
        answer = viewer.post(url("claim"), {"entry": issued.code, verb: "1"})
        assert answer.status_code == 403
    assert not Device.objects.exists()


def test_a_refusal_comes_to_htmx_as_a_message_above_what_is_there(cast):
    answer = logged_in(cast.vera, headers=part_of("editor")).post(
        url("device-twin", make_device(cast.tenant_a).public_id), {"pointer": "a", "kind": "text", "value": "1"}
    )
    assert answer.status_code == 403
    assert answer["HX-Retarget"] == "#messages"
    assert b'role="alert"' in answer.content


@pytest.mark.parametrize(
    "name", ["claim", "waiting", "products", "settings", "provisioning-tokens", "logout", "switch-tenant", "login"]
)
def test_a_post_without_csrf_token_is_refused(cast, name):
    client = logged_in(cast.alice, enforce_csrf_checks=True)
    assert client.post(url(name), {"entry": "K7M2QX"}).status_code == 403


def test_a_post_with_the_token_of_the_page_header_is_accepted(cast):
    client = logged_in(cast.alice, enforce_csrf_checks=True)
    client.get(url("claim"))
    token = client.cookies["gangway_csrf"].value
    answer = client.post(
        url("claim"), {"entry": make_enrolment().serial_number}, headers={**HTMX, "X-CSRFToken": token}
    )
    assert answer.status_code == 200


def test_logging_in_leads_to_claim_first_and_to_the_devices_once_there_are_some(cast):
    client = Client()
    answer = log_in_by_form(client, cast.bob)
    assert answer["Location"] == url("home")
    assert client.get(url("home"))["Location"] == url("claim")
    make_device(cast.tenant_a)
    assert client.get(url("home"))["Location"] == url("devices")


def test_a_wrong_password_is_said_in_one_sentence(cast):
    answer = log_in_by_form(Client(), cast.bob, "wrong")
    assert answer.status_code == 200
    assert "Please enter a correct username and password" in text_of(answer)


def test_logging_out_needs_a_post(cast):
    client = logged_in(cast.bob)
    assert client.get(url("logout")).status_code == 405
    assert client.post(url("logout"))["Location"] == url("login")
    assert client.get(url("devices")).status_code == 302


def test_pages_are_kept_by_nobody_and_differ_for_htmx(cast):
    answer = logged_in(cast.bob).get(url("devices"))
    assert "no-store" in answer["Cache-Control"]
    assert "HX-Request" in answer["Vary"]
    assert "script-src 'self'" in answer["Content-Security-Policy"]


def test_what_is_not_there_is_said_on_a_page_of_ours(db):
    answer = Client(headers={"X-Request-Id": "reference-1"}).get("/nothing/here")
    assert answer.status_code == 404
    assert "Not found" in text_of(answer) and "reference-1" in text_of(answer)


def test_the_page_of_an_error_needs_no_login(db):
    assert "Already provisioned" in text_of(Client().get("/errors/already-provisioned"))
