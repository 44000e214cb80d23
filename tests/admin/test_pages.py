"""Every list and every page of the support admin, whatever is registered."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import reverse

from tests.admin import rows

# What pages show does not depend on the database.
pytestmark = [pytest.mark.django_db, pytest.mark.once]

OURS = [model for name in ("devices", "twins", "provisioning") for model in apps.get_app_config(name).get_models()]
REGISTERED = list(admin.site._registry)
WRITTEN_BY_SERVICES = {
    "ApiToken", "Credential", "Device", "Enrolment", "EntryCount", "HistoryEntry", "HubProcess", "ListedSerial",
    "ProvisioningCode", "ProvisioningToken", "Session", "Twin", "TwinChange",
}  # fmt: skip


def _name(model):
    return model._meta.label


def _url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def stories():
    Group.objects.create(name="Support")
    rows.make_waiting("W-1", poll_token="t" * 40)
    return [rows.make_story(), rows.make_story()]


@pytest.mark.parametrize("model", OURS, ids=_name)
def test_every_model_is_in_the_admin(model):
    assert model in admin.site._registry


@pytest.mark.parametrize("model", REGISTERED, ids=_name)
def test_every_list_opens(model, stories, admin_client):
    answer = admin_client.get(_url(model, "changelist"))

    assert answer.status_code == 200
    assert answer.context["cl"].result_count == model.objects.count() > 0


@pytest.mark.parametrize("model", REGISTERED, ids=_name)
def test_every_page_opens(model, stories, admin_client):
    for pk in model.objects.values_list("pk", flat=True):
        assert admin_client.get(_url(model, "change", pk)).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=_name)
def test_a_viewer_sees_every_list_and_page_and_can_send_nothing(model, stories, client):
    client.force_login(rows.make_viewer())
    row = model.objects.first()

    answer = client.get(_url(model, "changelist"))
    assert answer.status_code == 200
    assert b'name="action"' not in answer.content
    answer = client.get(_url(model, "change", row.pk))
    assert answer.status_code == 200
    assert b'name="_save"' not in answer.content
    assert client.post(_url(model, "change", row.pk), {}).status_code == 403
    assert client.post(_url(model, "delete", row.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", REGISTERED, ids=_name)
def test_whoever_is_no_staff_is_sent_to_the_login(model, stories, client):
    client.force_login(stories[0].owner)

    answer = client.get(_url(model, "changelist"))

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("model", REGISTERED, ids=_name)
def test_staff_without_the_view_permission_is_refused(model, stories, client):
    client.force_login(rows.make_staff())

    assert client.get(_url(model, "changelist")).status_code == 403


@pytest.mark.parametrize("model", [model for model in OURS if model.__name__ in WRITTEN_BY_SERVICES], ids=_name)
def test_rows_of_services_have_no_input_even_for_superusers(model, stories, admin_client):
    row = model.objects.first()
    before = model.objects.filter(pk=row.pk).values().get()

    assert admin_client.get(_url(model, "add")).status_code == 403
    page = admin_client.get(_url(model, "change", row.pk)).content
    assert b'name="_save"' not in page
    fields = {field.name: "1" for field in model._meta.fields}
    assert admin_client.post(_url(model, "change", row.pk), fields).status_code == 403
    assert admin_client.post(_url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("model", REGISTERED, ids=_name)
def test_no_page_shows_a_digest(model, stories, admin_client):
    digests = {"digest", "poller_digest", "sealed_hand_over", "match_number", "password"} & {
        field.name for field in model._meta.fields
    }
    pages = [_url(model, "changelist")] + [
        _url(model, "change", pk) for pk in model.objects.values_list("pk", flat=True)
    ]
    shown = b"".join(admin_client.get(page).content for page in pages).decode()

    for name in digests:
        for value in filter(None, model.objects.values_list(name, flat=True)):
            assert value not in shown
            assert value[-12:] not in shown


def test_the_site_says_what_it_is_for(admin_client):
    assert b"Gangway support" in admin_client.get(reverse("admin:index")).content


def test_what_a_device_says_cannot_become_markup(admin_client):
    enrolment = rows.make_waiting("X-1", attributes={"firmware": "<script>alert(1)</script>"})

    page = admin_client.get(reverse("admin:provisioning_enrolment_change", args=[enrolment.pk])).content

    assert b"<script>alert" not in page
    assert b"&lt;script&gt;alert(1)" in page


def test_what_only_the_device_may_know_is_on_no_page(admin_client):
    enrolment = rows.make_waiting("X-2")
    type(enrolment).objects.filter(pk=enrolment.pk).update(
        match_number="QX", sealed_hand_over=b"SEALED-BYTES", public_key="PUBLIC-KEY-TEXT"
    )

    pages = [_url(type(enrolment), "changelist"), _url(type(enrolment), "change", enrolment.pk)]
    shown = b"".join(admin_client.get(page).content for page in pages).decode()

    assert "X-2" in shown
    assert not {"match_number", "sealed_hand_over", "poller_digest"} & set(
        admin.site._registry[type(enrolment)].get_fields(None, enrolment)
    )
    assert "SEALED-BYTES" not in shown
    assert ">QX<" not in shown
