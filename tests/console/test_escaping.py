"""Whatever devices and people say is text on every page."""

import pytest

from devices.actors import Actor
from devices.models import Session
from devices.services.serial_lists import import_serials
from provisioning.services.operations import begin_operation
from provisioning.services.tokens import create_provisioning_token
from tests.base import aboard, collect, make_code, make_product, make_statement, poll, unlock
from tests.console.pages import logged_in, url
from tests.console.test_device import connected
from twins.models import Twin
from twins.services.twins import change_desired

# What pages show does not depend on the database.
pytestmark = [pytest.mark.django_db, pytest.mark.once]

HOSTILE = "\"'><script>alert(1)</script>"
MARKS = (b"<script>alert", b"'><script", b'"><script')


def assert_harmless(answer):
    assert answer.status_code == 200
    for mark in MARKS:
        assert mark not in answer.content
    assert b"&lt;script&gt;" in answer.content


@pytest.fixture
def alice(cast):
    return logged_in(cast.alice)


def test_what_a_waiting_device_says(cast, alice):
    make_product(cast.tenant_a, HOSTILE)
    statement = make_statement(f"S {HOSTILE}", product=HOSTILE, attributes={HOSTILE: HOSTILE})
    code = make_code(statement).code
    for entry in (code, statement.serial_number):
        assert_harmless(alice.post(url("claim"), {"entry": entry}))
    assert_harmless(alice.post(url("claim"), {"entry": HOSTILE}))
    assert_harmless(alice.get(url("claim"), {"code": HOSTILE}))


def test_what_a_device_and_its_people_said_over_time(cast, alice):
    statement = make_statement(f"S {HOSTILE}", product=HOSTILE, attributes={HOSTILE: HOSTILE})
    poll(statement)
    device = unlock(statement, cast.tenant_a, name=HOSTILE)
    assert_harmless(alice.get(url("claimed", device.public_id)))
    collect(statement)
    change_desired(device=device, patch={HOSTILE: HOSTILE}, actor=Actor.user(cast.alice.pk))
    failure = {"acknowledged_version": 1, "acknowledgement": "failed", "acknowledged_at": device.created_at}
    Twin.objects.filter(device=device).update(reported={HOSTILE: [HOSTILE]}, acknowledgement_reason=HOSTILE, **failure)
    for name in ("claimed", "device", "device-twin", "device-access"):
        assert_harmless(alice.get(url(name, device.public_id)))
    assert_harmless(alice.get(url("device-twin", device.public_id), {"edit": f"/{HOSTILE}"}))
    assert_harmless(alice.get(url("devices")))
    assert_harmless(alice.get(url("devices"), {"search": HOSTILE, "product": HOSTILE}))
    assert_harmless(alice.get(url("activity")))
    assert_harmless(alice.post(url("device-access", device.public_id), {"name": "x"}))
    assert_harmless(alice.post(url("settings"), {"create-token": "1", "name": HOSTILE}))


def test_what_an_operation_its_token_and_its_product_say(cast, alice):
    product = make_product(cast.tenant_a, HOSTILE)
    token = create_provisioning_token(tenant=cast.tenant_a, name=HOSTILE, product=product, actor=Actor.system())[0]
    statement = make_statement(f"S {HOSTILE}", product=HOSTILE, attributes={HOSTILE: HOSTILE})
    begin_operation(token=token, statement=statement, actor=Actor.device())
    import_serials(product=product, lines=[f"{HOSTILE}\n"], actor=Actor.system())
    unlock(make_statement(f"W {HOSTILE}"), cast.tenant_a, name=HOSTILE)
    for address in (url("waiting"), url("provisioning-tokens"), url("products"), url("product", product.public_id)):
        assert_harmless(alice.get(address))
    assert_harmless(alice.post(url("products"), {"code": HOSTILE, "name": HOSTILE}))
    assert_harmless(alice.post(url("provisioning-tokens"), {"create": "1", "name": HOSTILE, "device_id": HOSTILE}))
    assert_harmless(alice.get(url("product", product.public_id), {"serial": HOSTILE}))
    assert_harmless(alice.post(url("product", product.public_id), {"preview": "1", "serials": HOSTILE * 9}))
    assert_harmless(alice.post(url("claim"), {"entry": HOSTILE, "serial": HOSTILE}))


def test_what_a_device_says_of_its_software(cast, alice):
    device = connected(cast.tenant_a)
    Session.objects.filter(device=device).update(agent=HOSTILE)
    for name in ("device", "device-access"):
        assert_harmless(alice.get(url(name, device.public_id)))


def test_a_hostile_setting_can_be_edited(cast, alice):
    device = aboard(cast.tenant_a).device
    fields = {"version": "0", "pointer": "a", "kind": "text", "value": HOSTILE, "save": "1"}
    alice.post(url("device-twin", device.public_id), fields)
    assert Twin.objects.get(device=device).desired == {"a": HOSTILE}
    assert_harmless(alice.get(url("device-twin", device.public_id), {"edit": "/a"}))
