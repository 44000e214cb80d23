"""One sentence says why a device does not come up."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from devices.actors import Actor
from devices.models import Credential, Device, HubProcess, Session
from devices.services.credentials import revoke_credentials
from devices.services.inventory import retire_device
from devices.services.sessions import register_process
from provisioning.models import Enrolment, ProvisioningCode, ProvisioningToken
from provisioning.services.claims import claim_by_serial
from provisioning.services.confirmation import confirm_hand_over
from tests.admin import rows
from twins.models import Acknowledgement
from twins.services.twins import record_acknowledgement

# What pages show does not depend on the database.
pytestmark = [pytest.mark.django_db, pytest.mark.once]


def _why(client, row):
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    in_list = client.get(reverse(f"{name}_changelist")).content.decode()
    page = client.get(reverse(f"{name}_change", args=[row.pk])).content.decode()
    return in_list, page


def _says(client, row, sentence):
    in_list, page = _why(client, row)
    return sentence in in_list and sentence in page


@pytest.fixture
def story():
    return rows.make_story()


def _acknowledge(device, version, outcome):
    record_acknowledgement(
        device_id=device.pk,
        public_id=device.public_id,
        tenant_id=device.tenant.public_id,
        epoch=device.session_epoch,
        version=version,
        outcome=outcome,
    )


def test_online_and_behind(story, admin_client):
    assert _says(admin_client, story.device, "online, 1 change behind")


def test_online_and_in_step(story, admin_client):
    _acknowledge(story.device, 1, Acknowledgement.APPLIED)

    assert _says(admin_client, story.device, "online, in step")


def test_online_and_unable_to_apply(story, admin_client):
    _acknowledge(story.device, 1, Acknowledgement.FAILED)

    assert _says(admin_client, story.device, "online, failed to apply version 1")


def test_let_in_only(story, admin_client):
    device = rows.make_let_in(story.tenant, story.owner)

    assert _says(admin_client, device, "let in, has not collected its credentials")


def test_handed_over_to_a_plain_poller_and_never_used(story, admin_client):
    device = rows.make_let_in(story.tenant, story.owner)
    rows.collect(device)

    assert _says(admin_client, device, "was handed its credentials, has not used them; a plain poller")


def test_handed_over_and_not_confirmed(story, admin_client):
    device = rows.make_let_in(story.tenant, story.owner)
    rows.collect(device)
    enrolments = Enrolment.objects.filter(device=device)

    enrolments.update(poller_kind="key", sealed_until=datetime.now(UTC) + timedelta(minutes=5))
    assert _says(admin_client, device, "has not confirmed them; may still ask for them again")
    assert _says(admin_client, enrolments.get(), "has not confirmed them; may still ask for them again")

    enrolments.update(sealed_until=None)
    assert _says(admin_client, device, "was handed its credentials, has not confirmed them in time")


def test_confirmed_and_never_connected(story, admin_client):
    device = rows.make_let_in(story.tenant, story.owner)
    rows.collect(device)
    confirm_hand_over(device_id=device.pk, actor=Actor.device())

    assert _says(admin_client, device, "has its credentials, has never connected")


def test_let_in_before_it_came(story, admin_client):
    device = claim_by_serial(serial_number="EARLY-1", tenant=story.tenant, actor=Actor.user(story.owner.pk))
    assert _says(admin_client, device, "let in, has not come yet: the first poll with its serial number takes it")

    Enrolment.objects.filter(device=device).update(window_until=datetime.now(UTC) - timedelta(seconds=1))
    assert _says(admin_client, device, "let in, and nothing collected in time; over, not swept yet")


def test_a_copied_secret(story, admin_client):
    Credential.objects.update(clone_suspected_at=datetime.now(UTC))

    assert _says(admin_client, story.device, "online, 1 change behind; its secret may have been copied")


def test_an_operation(story, admin_client):
    operation = Enrolment.objects.get(token__tenant=story.tenant)
    assert _says(admin_client, operation, "waits for a person to approve it")

    Enrolment.objects.update(decide_until=datetime.now(UTC) - timedelta(seconds=1))
    assert _says(admin_client, operation, "nobody decided in time")

    ProvisioningToken.objects.update(revoked_at=datetime.now(UTC))
    assert _says(admin_client, operation, "its provisioning token was revoked; over, not swept yet")


def test_revoked(story, admin_client):
    revoke_credentials(device=story.device, actor=Actor.system(), reason="test")

    assert _says(admin_client, story.device, "its credentials were revoked or have expired")


def test_offline(story, admin_client):
    moment = datetime.now(UTC)
    Session.objects.update(closed_at=moment)
    Device.objects.update(last_seen_at=moment)

    assert _says(admin_client, story.device, "offline: not connected")


def test_unsure(story, admin_client):
    HubProcess.objects.update(lease_until=datetime.now(UTC) - timedelta(seconds=5))

    assert _says(admin_client, story.device, "unsure: its hub process has not been heard of")


def test_retired(story, admin_client):
    retire_device(device=story.device, actor=Actor.system(), reason="test")

    assert _says(admin_client, story.device, "retired")


def test_an_enrolment_that_waits(admin_client):
    enrolment = rows.make_waiting()
    assert _says(admin_client, enrolment, "waits for a person, with a code")

    ProvisioningCode.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert _says(admin_client, enrolment, "waits for a person, no code")

    Enrolment.objects.update(last_polled_at=datetime.now(UTC) - timedelta(days=3))
    assert _says(admin_client, enrolment, "the device fell silent")


def test_a_process_counts_its_connections(story, admin_client):
    register_process(channel="idle")

    answer = admin_client.get(reverse("admin:devices_hubprocess_changelist"))

    assert [process.open_sessions for process in answer.context["cl"].result_list] == [0, 1]
