"""Support has a serial number, an id or a name, and finds the row."""

import pytest
from django.apps import apps
from django.urls import reverse

from devices.models import ListedSerial
from provisioning.models import EntryCount
from tests.admin import rows

pytestmark = pytest.mark.django_db


def _found(client, model, term):
    name = model.replace(".", "_").lower()
    answer = client.get(reverse(f"admin:{name}_changelist"), {"q": term})
    assert answer.status_code == 200
    assert b'id="searchbar"' in answer.content
    return {row.pk for row in answer.context["cl"].result_list}


@pytest.fixture
def wanted():
    rows.make_story("OTHER-1", "Something else")
    return rows.make_story("KX-55 ab", "Lamp in the hall")


BY_SERIAL = [
    "devices.Device", "devices.Credential", "devices.Session", "devices.HistoryEntry", "twins.Twin", "twins.TwinChange",
    "provisioning.Enrolment", "provisioning.ProvisioningCode",
]  # fmt: skip


@pytest.mark.parametrize("model", BY_SERIAL)
@pytest.mark.parametrize("term", ["KX-55 ab", "kx55AB", "kx-5"])
def test_a_serial_number_finds_it_in_any_spelling(model, term, wanted, admin_client):
    found = _found(admin_client, model, term)

    path = {"Device": "pk", "TwinChange": "twin__device", "ProvisioningCode": "enrolment__device"}
    field = path.get(model.partition(".")[2], "device")
    rows_of_device = apps.get_model(model).objects.filter(**{field: wanted.device.pk})
    assert found == set(rows_of_device.values_list("pk", flat=True)) != set()


@pytest.mark.parametrize("model", BY_SERIAL)
def test_a_device_id_finds_it(model, wanted, admin_client):
    assert _found(admin_client, model, str(wanted.device.public_id))
    assert _found(admin_client, model, str(wanted.device.public_id).upper())
    assert not _found(admin_client, model, "00000000-0000-4000-8000-000000000000")


def test_a_serial_number_may_look_like_a_uuid(admin_client):
    serial = "0b6f3c1e-5a52-4c2e-9d52-4d1a2b7d3c11"
    enrolment = rows.make_waiting(serial)

    assert _found(admin_client, "provisioning.Enrolment", serial) == {enrolment.pk}


def test_a_code_is_found_by_its_owner(wanted, admin_client):
    for term in (wanted.enrolment.public_id, wanted.tenant.public_id, "Lamp in the"):
        assert _found(admin_client, "provisioning.ProvisioningCode", str(term)) == {wanted.enrolment.codes.get().pk}


def test_people_and_what_is_theirs_are_found_by_name(wanted, admin_client):
    name = wanted.owner.username
    assert _found(admin_client, "devices.User", name) == {wanted.owner.pk}
    assert _found(admin_client, "devices.User", wanted.owner.email) == {wanted.owner.pk}
    assert _found(admin_client, "devices.ApiToken", name) == {wanted.token.pk}
    assert _found(admin_client, "devices.Membership", name) == {wanted.owner.memberships.get().pk}
    assert _found(admin_client, "devices.Device", name) == {wanted.device.pk}
    assert len(_found(admin_client, "devices.HistoryEntry", name)) >= 3


def test_the_history_of_an_enrolment_is_found_by_its_id(admin_client):
    enrolment = rows.make_waiting("W-77")

    assert len(_found(admin_client, "devices.HistoryEntry", str(enrolment.public_id))) == 1


@pytest.mark.parametrize("term", ["---", "'; --", "%", "\\", "ü", "a\u200bb", "x" * 500])
def test_nonsense_finds_nothing_and_breaks_nothing(term, wanted, admin_client):
    for model in BY_SERIAL:
        assert _found(admin_client, model, term) == set()


def test_a_listed_serial_number_is_found_by_itself_its_product_and_its_tenant(wanted, admin_client):
    listed = ListedSerial.objects.get(product=wanted.device.product)

    for term in (listed.serial_number, listed.serial_number.lower(), listed.product.public_id, wanted.tenant.public_id):
        assert _found(admin_client, "devices.ListedSerial", str(term)) == {listed.pk}
    assert len(_found(admin_client, "devices.ListedSerial", "lamp")) == 2


def test_a_provisioning_token_is_found_by_name_beginning_and_tenant(wanted, admin_client):
    token = rows.make_provisioning_token(wanted.tenant, wanted.owner, "Hall 7", device_id="gate-17")

    for term in ("hall 7", token.prefix, "gate-1", token.public_id):
        assert _found(admin_client, "provisioning.ProvisioningToken", str(term)) == {token.pk}
    assert len(_found(admin_client, "provisioning.ProvisioningToken", str(wanted.tenant.public_id))) == 2


def test_operations_are_found_by_their_token_and_by_their_serial_number(wanted, admin_client):
    operation = rows.make_operation(rows.make_provisioning_token(wanted.tenant, wanted.owner), "OP-5")

    assert _found(admin_client, "provisioning.Enrolment", str(operation.token.public_id)) == {operation.pk}
    assert _found(admin_client, "provisioning.Enrolment", "op-5") == {operation.pk}


def test_entry_counts_are_found_by_whose_they_are(wanted, admin_client):
    of_user = EntryCount.objects.get(scope="user", source=wanted.owner.pk)
    of_tenant = EntryCount.objects.get(scope="tenant", source=wanted.tenant.pk)

    assert _found(admin_client, "provisioning.EntryCount", wanted.owner.username) == {of_user.pk}
    assert _found(admin_client, "provisioning.EntryCount", str(wanted.tenant.public_id)) == {of_tenant.pk}
    for term in ("nobody", "%", "\\", "x" * 500):
        assert _found(admin_client, "provisioning.EntryCount", term) == set()
