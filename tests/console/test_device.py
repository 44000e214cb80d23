"""The pages of one device: Overview and Access."""

import pytest

from devices.models import Credential, Device
from devices.services.sessions import open_session, register_process
from tests.base import aboard, make_code, make_device, make_statement, unlock_by_code
from tests.console.pages import is_whole_page, logged_in, part_of, text_of, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob(cast):
    return logged_in(cast.bob)


def connected(tenant, **kw):
    """A device with an open session in a process that lives."""
    device = aboard(tenant, **kw).device
    process = register_process(channel="nowhere")
    credential = Credential.objects.get(device=device)
    open_session(
        device_id=device.pk, credential_id=credential.pk, process_id=process.pk, network="192.0.2.9", agent="lamp 1.0"
    )
    return Device.objects.get(pk=device.pk)


def test_the_overview_tells_how_the_device_came_aboard_and_what_happened_since(cast, bob):
    statement = make_statement(product="TH-200", attributes={"firmware": "1.4.2"})
    device = unlock_by_code(make_code(statement).code, cast.tenant_a, cast.bob, name="Cold room")
    shown = text_of(bob.get(url("device", device.public_id)))
    for word in ("Cold room", str(device.public_id), device.serial_number, "TH-200", "1.4.2", "never connected"):
        assert word in shown
    for event in ("Asked to join", f"Let in by {cast.bob.username}", "by its code", "Provisioning code used"):
        assert event in shown


def test_presence_comes_with_its_evidence(cast, bob):
    device = connected(cast.tenant_a)
    shown = text_of(bob.get(url("device", device.public_id)))
    assert "online" in shown and "from 192.0.2.9" in shown and "last heard" in shown and "lamp 1.0" in shown


def test_a_device_whose_process_is_silent_is_unsure_until_its_deadline(cast, bob, moved_clock, settings):
    device = connected(cast.tenant_a)
    moved_clock.advance(seconds=settings.HUB_PROCESS_LEASE + 5)
    shown = text_of(bob.get(url("device", device.public_id)))
    assert "unsure · 5 s" in shown and "counts as offline in" in shown
    assert "unsure · 5 s" in text_of(bob.get(url("devices")))
    moved_clock.advance(seconds=settings.HUB_OFFLINE_AFTER)
    assert "offline ·" in text_of(bob.get(url("device", device.public_id)))


def test_htmx_gets_the_part_it_names(cast, bob):
    device = make_device(cast.tenant_a)
    for name, target in (("device", "overview"), ("device", "presence"), ("device-access", "access")):
        answer = bob.get(url(name, device.public_id), headers=part_of(target))
        assert not is_whole_page(answer)
    presence = bob.get(url("device-twin", device.public_id), headers=part_of("presence"))
    assert "never connected" in text_of(presence) and "Change a setting" not in text_of(presence)


def test_renaming(cast, bob):
    device = make_device(cast.tenant_a)
    answer = bob.post(url("device", device.public_id), {"name": "  Cold   room "}, follow=True)
    assert "Renamed to Cold room" in text_of(answer)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x00b"])
def test_a_bad_name_is_refused_in_a_sentence(cast, bob, name):
    device = make_device(cast.tenant_a, name="Cold room")
    answer = bob.post(url("device", device.public_id), {"name": name})
    assert answer.status_code == 200 and b'role="alert"' in answer.content
    assert "<h1>Cold room</h1>" in answer.content.decode()


def test_access_lists_credentials_by_prefix_and_connections(cast, bob):
    device = connected(cast.tenant_a)
    answer = bob.get(url("device-access", device.public_id))
    credential = Credential.objects.get(device=device)
    assert f"{credential.prefix}…" in text_of(answer)
    assert credential.digest not in answer.content.decode()
    assert "192.0.2.9" in text_of(answer) and "current" in text_of(answer)


def test_deleting_needs_the_name_and_the_role(cast, bob):
    device = connected(cast.tenant_a, name="Cold room")
    address = url("device-access", device.public_id)
    assert "This needs the role admin" in text_of(bob.get(address))
    assert bob.post(address, {"name": "Cold room"}).status_code == 403

    alice = logged_in(cast.alice)
    for name in ("", "cold room", "Cold room 2"):
        answer = alice.post(address, {"name": name})
        assert answer.status_code == 200 and "Nothing was deleted" in text_of(answer)
    assert Device.objects.present().filter(pk=device.pk).exists()

    answer = alice.post(address, {"name": " Cold room "}, follow=True)
    assert "Cold room was deleted" in text_of(answer)
    assert not Device.objects.present().filter(pk=device.pk).exists()
    assert Credential.objects.get(device=device).revoked_at
    assert alice.get(address).status_code == 404


def test_activity_tells_it_in_words_and_page_by_page(cast, bob, monkeypatch):
    from portal.console.views import activity

    device = make_device(cast.tenant_a, name="Cold room")
    shown = text_of(bob.get(url("activity")))
    assert "Cold room Credential issued" in shown and "Let in" in shown

    monkeypatch.setattr(activity, "_PAGE", 2)
    first = bob.get(url("activity")).content.decode()
    following = first.split('rel="next"')[0].rsplit('href="', 1)[-1].split('"')[0]
    second = text_of(bob.get(f"{url('activity')}{following}"))
    assert "Added to the tenant" in second or "Let in" in second
    assert url("device", device.public_id) in first


def test_activity_of_a_tenant_without_any_teaches(cast, bob):
    assert "Nothing happened yet" in text_of(bob.get(url("activity")))
