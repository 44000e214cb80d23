"""Actions ask first, call the service, say what came of it, and need the permission."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.urls import reverse

from devices.models import CloseReason, DeviceState, HistoryEntry, Session
from provisioning.models import Enrolment, ProvisioningToken
from provisioning.services.claims import claim_by_serial
from provisioning.states import EnrolmentState
from tests.admin import rows

# What pages show does not depend on the database.
pytestmark = [pytest.mark.django_db, pytest.mark.once]

DEVICES = "admin:devices_device_changelist"
ENROLMENTS = "admin:provisioning_enrolment_changelist"
TOKENS = "admin:provisioning_provisioningtoken_changelist"


@pytest.fixture
def story():
    return rows.make_story()


def _ask(client, page, action, *chosen):
    """The form of the list."""
    return client.post(reverse(page), {"action": action, "index": "0", "_selected_action": [row.pk for row in chosen]})


def _do(client, page, action, *chosen):
    """The form of the page that asks."""
    form = {"action": action, "confirmed": "yes", "_selected_action": [row.pk for row in chosen]}
    return client.post(reverse(page), form, REMOTE_ADDR="198.51.100.9")


def _said(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_deleting_a_device_asks_first(story, admin_client):
    answer = _ask(admin_client, DEVICES, "delete", story.device)

    assert answer.status_code == 200
    assert b"this cannot be undone" in answer.content
    assert f"serial number {story.device.serial_number}, of Acme" in answer.content.decode()
    story.device.refresh_from_db()
    assert story.device.state == DeviceState.ACTIVE


def test_deleting_a_device_ends_it(story, admin_client, admin_user):
    answer = _do(admin_client, DEVICES, "delete", story.device)

    assert _said(answer) == ["Device deleted: 1."]
    story.device.refresh_from_db()
    assert story.device.state == DeviceState.RETIRED
    assert not story.device.credentials.filter(revoked_at=None).exists()
    assert Session.objects.get(device=story.device).close_reason == CloseReason.REVOKED
    assert Enrolment.objects.get(device=story.device).state == EnrolmentState.SUPERSEDED
    move = HistoryEntry.objects.get(subject="device", to_state="retired")
    assert (move.user, move.network, move.reason) == (admin_user, "198.51.100.9", "deleted by support")
    assert LogEntry.objects.get().change_message == "Device deleted"


def test_what_the_service_refuses_is_said(story, admin_client):
    _do(admin_client, DEVICES, "delete", story.device)

    answer = _do(admin_client, DEVICES, "delete", story.device)

    assert _said(answer)[-1].endswith("There is no such device.")


def test_of_several_each_is_tried(story, admin_client):
    other = rows.make_story()
    _do(admin_client, DEVICES, "delete", story.device)

    answer = _do(admin_client, DEVICES, "delete", story.device, other.device)

    assert _said(answer)[-1] == "Device deleted: 1."
    other.device.refresh_from_db()
    assert other.device.state == DeviceState.RETIRED


def test_revoking_credentials_ends_them_and_the_connection(story, admin_client):
    answer = _do(admin_client, DEVICES, "revoke", story.device)

    assert _said(answer) == ["Credentials revoked: 1."]
    credential = story.device.credentials.get()
    assert credential.revoked_reason == "revoked by support"
    assert Session.objects.get(device=story.device).close_reason == CloseReason.REVOKED
    assert _said(_do(admin_client, DEVICES, "revoke", story.device))[-1].endswith("there was nothing to do.")


def test_credentials_are_revoked_from_their_own_list_too(story, admin_client):
    credential = story.device.credentials.get()

    answer = _do(admin_client, "admin:devices_credential_changelist", "revoke", credential)

    assert _said(answer) == ["Credentials revoked: 1."]
    credential.refresh_from_db()
    assert credential.revoked_at is not None


@pytest.mark.parametrize("page", [DEVICES, "admin:devices_session_changelist"])
def test_ending_a_connection_closes_it_and_keeps_the_credentials(page, story, admin_client):
    session = Session.objects.get(device=story.device)
    chosen = session if "session" in page else story.device

    answer = _do(admin_client, page, "end_connection", chosen)

    assert _said(answer) == ["Connection ended: 1."]
    session.refresh_from_db()
    assert session.closed_at is not None
    assert story.device.credentials.filter(revoked_at=None).exists()


def test_ending_no_connection_says_so(story, admin_client):
    device = rows.make_let_in(story.tenant, story.owner)

    answer = _do(admin_client, DEVICES, "end_connection", device)

    assert _said(answer)[0].endswith("there was nothing to do.")


def test_declining_an_enrolment_ends_it_and_its_code(admin_client, admin_user):
    enrolment = rows.make_waiting()

    answer = _do(admin_client, ENROLMENTS, "decline", enrolment)

    assert _said(answer) == ["Enrolment declined: 1."]
    enrolment.refresh_from_db()
    assert enrolment.state == EnrolmentState.DECLINED
    assert enrolment.codes.get().state == "revoked"
    assert HistoryEntry.objects.get(subject="enrolment", to_state="declined").user == admin_user


def test_an_enrolment_that_was_let_in_meanwhile_is_not_declined(story, admin_client):
    enrolment = rows.make_waiting("LATE-1")
    _ask(admin_client, ENROLMENTS, "decline", enrolment)
    claim_by_serial(serial_number="LATE-1", tenant=story.tenant, actor=rows.Actor.user(story.owner.pk))

    answer = _do(admin_client, ENROLMENTS, "decline", enrolment)

    assert "let in, credentials not collected yet" in _said(answer)[0]
    enrolment.refresh_from_db()
    assert enrolment.state == EnrolmentState.UNLOCKED


def test_an_api_token_is_revoked_once(story, admin_client):
    page = "admin:devices_apitoken_changelist"

    assert _said(_do(admin_client, page, "revoke", story.token)) == ["API token revoked: 1."]
    story.token.refresh_from_db()
    assert story.token.revoked_at is not None
    assert _said(_do(admin_client, page, "revoke", story.token))[-1].endswith("there was nothing to do.")


def test_a_provisioning_token_is_revoked_with_what_waits_and_nothing_else(story, admin_client, admin_user):
    token = ProvisioningToken.objects.get(tenant=story.tenant)
    operation = Enrolment.objects.get(token=token)

    answer = _do(admin_client, TOKENS, "revoke", token)

    assert _said(answer) == ["Provisioning token revoked: 1."]
    operation.refresh_from_db()
    assert operation.state == EnrolmentState.EXPIRED
    assert HistoryEntry.objects.get(subject="token", to_state="revoked").user == admin_user
    assert _said(_do(admin_client, TOKENS, "revoke", token))[-1].endswith("there was nothing to do.")


def test_an_operation_is_declined_as_any_enrolment(story, admin_client):
    operation = Enrolment.objects.get(token__tenant=story.tenant)

    assert _said(_do(admin_client, ENROLMENTS, "decline", operation)) == ["Enrolment declined: 1."]
    operation.refresh_from_db()
    assert operation.state == EnrolmentState.DECLINED


@pytest.mark.parametrize(
    ("page", "action", "permission"),
    [
        (DEVICES, "delete", "devices.view_device"),
        (DEVICES, "revoke", "devices.view_device"),
        (DEVICES, "end_connection", "devices.view_device"),
        (ENROLMENTS, "decline", "provisioning.view_enrolment"),
        ("admin:devices_apitoken_changelist", "revoke", "devices.view_apitoken"),
        ("admin:devices_credential_changelist", "revoke", "devices.view_credential"),
        (TOKENS, "revoke", "provisioning.view_provisioningtoken"),
    ],
)
def test_an_action_needs_the_permission_to_change(page, action, permission, story, client):
    waiting = rows.make_waiting()
    client.force_login(rows.make_staff(permission))
    chosen = {
        DEVICES: story.device,
        ENROLMENTS: waiting,
        "admin:devices_apitoken_changelist": story.token,
        "admin:devices_credential_changelist": story.device.credentials.get(),
        TOKENS: ProvisioningToken.objects.get(tenant=story.tenant),
    }[page]
    before = type(chosen).objects.filter(pk=chosen.pk).values().get()

    _do(client, page, action, chosen)

    assert type(chosen).objects.filter(pk=chosen.pk).values().get() == before
    client.force_login(rows.make_staff(permission, permission.replace("view", "change")))
    assert b'name="confirmed"' in _ask(client, page, action, chosen).content
    assert _said(_do(client, page, action, chosen))


def test_too_many_rows_at_once_are_refused(story, admin_client, monkeypatch):
    monkeypatch.setattr("devices.admin_base.ROWS_PER_ACTION", 1)
    other = rows.make_story()

    answer = _do(admin_client, DEVICES, "delete", story.device, other.device)

    assert _said(answer) == ["Choose at most 1 rows at a time."]
    story.device.refresh_from_db()
    assert story.device.state == DeviceState.ACTIVE
