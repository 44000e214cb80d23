"""The Settings page."""

import re

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from devices.models import ApiToken
from tests.base import PASSWORD, make_token
from tests.console.pages import log_in_by_form, logged_in, text_of, url

# What pages show does not depend on the database; what they call is tested on both.
pytestmark = [pytest.mark.django_db, pytest.mark.once]
NEW = "a-new-and-long-one"


def test_a_token_is_shown_once_and_works(cast):
    client = logged_in(cast.alice)
    answer = client.post(url("settings"), {"create-token": "1", "name": "Fleet report"})
    [secret] = set(re.findall(r"gwt_[\w-]{43}", answer.content.decode()))
    assert "no-store" in answer["Cache-Control"]
    again = client.get(url("settings")).content.decode()
    assert secret not in again and secret[:12] in again and "Fleet report" in again
    assert secret not in str([session.get_decoded() for session in Session.objects.all()])
    headers = {"Authorization": f"Bearer {secret}"}
    assert Client(headers=headers).get("/api/v1/devices").status_code == 200


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x00b"])
def test_a_token_needs_a_name(cast, name):
    answer = logged_in(cast.alice).post(url("settings"), {"create-token": "1", "name": name})
    assert "A token needs a name" in text_of(answer)
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked(cast):
    secret = make_token(cast.alice)
    token = ApiToken.objects.get()
    client = logged_in(cast.alice)
    answer = client.post(url("settings"), {"revoke-token": str(token.public_id)}, follow=True)
    assert "was revoked" in text_of(answer)
    headers = {"Authorization": f"Bearer {secret}"}
    assert Client(headers=headers).get("/api/v1/devices").status_code == 401


def test_a_token_of_somebody_else_does_not_exist(cast):
    make_token(cast.alice)
    token = ApiToken.objects.get()
    bob = logged_in(cast.bob)
    assert token.prefix not in text_of(bob.get(url("settings")))
    assert bob.post(url("settings"), {"revoke-token": str(token.public_id)}).status_code == 404
    assert bob.post(url("settings"), {"revoke-token": "nonsense"}).status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_the_password_is_changed_and_the_person_stays_logged_in(cast):
    client = Client()
    log_in_by_form(client, cast.bob)
    fields = {"change-password": "1", "old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    answer = client.post(url("settings"), fields, follow=True)
    assert "Your password was changed" in text_of(answer)
    assert log_in_by_form(Client(), cast.bob, NEW).status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [("wrong", NEW, "Your old password was entered incorrectly"), (PASSWORD, "short", "This password is too short")],
)
def test_a_password_that_will_not_do_is_said_at_its_field(cast, old, new, sentence):
    fields = {"change-password": "1", "old_password": old, "new_password1": new, "new_password2": new}
    answer = logged_in(cast.bob).post(url("settings"), fields)
    assert answer.status_code == 200 and sentence in text_of(answer)


def test_the_tenant_its_region_and_its_members_are_shown(cast):
    shown = text_of(logged_in(cast.vera).get(url("settings")))
    for word in (cast.tenant_a.name, "EU", cast.alice.username, "Owner", cast.bob.username, "Technician"):
        assert word in shown
    assert cast.charlie.username not in shown


def test_somebody_without_a_tenant_is_told_so(cast):
    assert "member of no tenant" in text_of(logged_in(cast.dora).get(url("settings")))
