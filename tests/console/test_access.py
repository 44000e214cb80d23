"""The Access page: credentials, copies of them, letting in anew, and transfer."""

from datetime import timedelta

import pytest

from devices.actors import Actor
from devices.models import Credential, Device, Membership, Role, Session
from devices.services.credentials import rotate_device_secret
from portal.lib.clock import now
from provisioning.services.transfer import transfer_device
from tests.base import aboard, collect, make_code, make_device, make_statement, unlock_by_code
from tests.console.pages import logged_in, text_of, url
from tests.console.test_device import connected
from twins.services.twins import change_desired

# What pages show does not depend on the database; what they call is tested on both.
pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def alice(cast):
    return logged_in(cast.alice)


def page(client, device):
    return text_of(client.get(url("device-access", device.public_id)))


def post(client, device, **fields):
    return client.post(url("device-access", device.public_id), fields, follow=True)


def test_each_state_of_a_credential_is_named(alice, cast, moved_clock, settings):
    device = aboard(cast.tenant_a).device
    assert "current" in page(alice, device)
    rotate_device_secret(credential_id=Credential.objects.get().pk, actor=Actor.device())
    shown = page(alice, device)
    assert "current" in shown and "replaced works until" in shown
    moved_clock.advance(seconds=settings.CREDENTIAL_GRACE + 1)
    assert "expired" in page(alice, device)
    post(alice, device, **{"re-enable": "1"})
    shown = page(alice, device)
    assert "revoked" in shown and "the device was enabled anew" in shown and "current" not in shown


def test_a_suspected_copy_is_shown_with_both_networks_and_what_to_do(alice, cast):
    device = connected(cast.tenant_a)
    credential = Credential.objects.get(device=device)
    session = Session.objects.get(device=device)
    Session.objects.filter(pk=session.pk).update(
        epoch=1, network="198.51.100.4", closed_at=now(), close_reason="replaced"
    )
    Session.objects.create(
        device=device,
        credential=credential,
        process=session.process,
        epoch=2,
        network="203.0.113.9",
        connected_at=now(),
        last_frame_at=now(),
    )
    assert "Somebody may have copied" not in page(alice, device)
    Credential.objects.update(clone_suspected_at=now())
    shown = page(alice, device)
    assert "Somebody may have copied" in shown and "203.0.113.9 and 198.51.100.4" in shown and "re-enable it" in shown
    assert "may have been copied" in text_of(alice.get(url("device", device.public_id)))
    post(alice, device, **{"re-enable": "1"})
    assert "Somebody may have copied" not in page(alice, device)


def test_re_enabling_ends_what_there_was_and_opens_a_window(alice, cast):
    statement = make_statement()
    device = make_device(cast.tenant_a, statement=statement, name="Cold room")
    assert "Its 1 working credential and its connection end at once" in page(alice, device)
    shown = text_of(post(alice, device, **{"re-enable": "1"}))
    assert "Cold room may come aboard anew" in shown and "It may come aboard until" in shown
    assert Credential.objects.get().revoked_at
    assert device.serial_number in text_of(alice.get(url("waiting")))
    collect(statement)
    shown = page(alice, device)
    assert "It may come aboard until" not in shown and "current" in shown


def test_a_device_that_cannot_be_re_enabled_says_why(alice, cast):
    device = make_device(cast.tenant_a)
    Device.objects.filter(pk=device.pk).update(serial_key="")
    assert "comes aboard with a provisioning token" in text_of(post(alice, device, **{"re-enable": "1"}))


def test_credentials_that_were_handed_over_and_never_used_are_named(alice, cast):
    device = aboard(cast.tenant_a).device
    shown = page(alice, device)
    assert "it never used them" in shown and "Re-enable it" in shown
    device.enrolments.update(state="confirmed")
    assert "it never used them" not in page(alice, device)


@pytest.fixture
def both(cast):
    """Alice, who is administrator of tenant B as well."""
    Membership.objects.create(user=cast.alice, tenant=cast.tenant_b, role=Role.ADMIN)
    return logged_in(cast.alice)


def test_a_device_goes_to_another_tenant(cast, both):
    device = make_device(cast.tenant_a, name="Cold room")
    shown = page(both, device)
    assert "take secrets out of it first" in shown
    shown = text_of(post(both, device, transfer="1", tenant=str(cast.tenant_b.public_id)))
    assert f"Cold room belongs to {cast.tenant_b.name} now" in shown
    assert Device.objects.get().tenant == cast.tenant_b
    assert logged_in(cast.bob).get(url("device", device.public_id)).status_code == 404
    assert logged_in(cast.charlie).get(url("device", device.public_id)).status_code == 200


def test_a_transfer_needs_the_role_in_both_tenants(cast, alice):
    device = make_device(cast.tenant_a)
    assert "Transfer to another tenant" not in page(alice, device)
    assert post(alice, device, transfer="1", tenant=str(cast.tenant_b.public_id)).status_code == 404
    Membership.objects.create(user=cast.alice, tenant=cast.tenant_b, role=Role.TECHNICIAN)
    assert post(alice, device, transfer="1", tenant=str(cast.tenant_b.public_id)).status_code == 403
    assert post(alice, device, transfer="1", tenant="nonsense").status_code == 404
    assert Device.objects.get().tenant == cast.tenant_a


def test_a_transfer_that_cannot_be_says_why(cast, both):
    device = make_device(cast.tenant_a, state="unlocked")
    assert "Choose the tenant" in text_of(post(both, device, transfer="1"))
    assert "has not come aboard yet" in text_of(post(both, device, transfer="1", tenant=str(cast.tenant_b.public_id)))
    assert "belongs to this tenant already" in text_of(
        post(both, device, transfer="1", tenant=str(cast.tenant_a.public_id))
    )


@pytest.mark.parametrize("verb", ["re-enable", "transfer"])
def test_only_administrators_re_enable_and_transfer(cast, verb):
    device = make_device(cast.tenant_a)
    fields = {verb: "1", "tenant": str(cast.tenant_b.public_id)}
    for person, status in ((cast.bob, 403), (cast.vera, 403), (cast.charlie, 404)):
        client = logged_in(person)
        assert post(client, device, **fields).status_code == status
    assert "Re-enable" not in page(logged_in(cast.bob), device).replace("Re-enable it,", "")
    assert Credential.objects.get().revoked_at is None


def test_after_a_transfer_nobody_sees_the_others_past(cast):
    statement = make_statement()
    device = unlock_by_code(make_code(statement).code, cast.tenant_a, cast.bob, name="Cold room")
    collect(statement)
    change_desired(device=device, patch={"a": 1}, actor=Actor.user(cast.bob.pk))
    Device.objects.filter(pk=device.pk).update(created_at=now() - timedelta(days=1))
    device = connected_again(device)
    Credential.objects.update(last_used_at=now(), last_used_network="198.51.100.7", clone_suspected_at=now())
    transfer_device(device=device, to_tenant=cast.tenant_b, actor=Actor.system())
    charlie = logged_in(cast.charlie)
    for name in ("device", "device-twin", "device-access"):
        shown = text_of(charlie.get(url(name, device.public_id)))
        for secret in (cast.bob.username, "192.0.2.7", "198.51.100.7", cast.tenant_a.name):
            assert secret not in shown, (name, secret)
    assert "Moved between tenants" in text_of(charlie.get(url("device", device.public_id)))
    theirs = text_of(charlie.get(url("activity")))
    assert "Moved between tenants" in theirs and cast.bob.username not in theirs

    Device.objects.filter(pk=device.pk).update(name="Their own name")
    ours = logged_in(cast.alice).get(url("activity"))
    assert "Their own name" not in text_of(ours) and device.serial_number in text_of(ours)
    assert url("device", device.public_id) not in ours.content.decode()


def connected_again(device):
    from devices.services.sessions import open_session, register_process

    credential = Credential.objects.get(device=device)
    process = register_process(channel="nowhere")
    open_session(
        device_id=device.pk, credential_id=credential.pk, process_id=process.pk, network="198.51.100.7", agent="lamp"
    )
    return Device.objects.get(pk=device.pk)
