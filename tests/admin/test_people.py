"""Accounts: support can help people without becoming somebody else."""

import pytest
from django.urls import reverse

from devices.models import User
from tests.admin import rows

# What pages show does not depend on the database.
pytestmark = [pytest.mark.django_db, pytest.mark.once]

HELPER = ("devices.view_user", "devices.change_user", "devices.add_user")


@pytest.fixture
def helper(client):
    user = rows.make_staff(*HELPER)
    client.force_login(user)
    return user


@pytest.fixture
def alice():
    return User.objects.create_user("alice", "alice@example.com", "a-password")


def _page(user):
    return reverse("admin:devices_user_change", args=[user.pk])


def _password_page(user):
    return reverse("admin:auth_user_password_change", args=[user.pk])


def test_support_makes_an_account(client, helper):
    passwords = {"password1": "gangway-test-1", "password2": "gangway-test-1", "usable_password": "true"}
    answer = client.post(reverse("admin:devices_user_add"), {"username": "bob", **passwords})

    assert answer.status_code == 302
    assert User.objects.get(username="bob").check_password("gangway-test-1")


def test_support_changes_an_account_but_not_what_it_may_do(client, helper, alice):
    form = {"username": "alice", "email": "new@example.com", "is_active": "on", "is_staff": "on", "is_superuser": "on"}

    assert client.post(_page(alice), form).status_code == 302

    alice.refresh_from_db()
    assert (alice.email, alice.is_staff, alice.is_superuser) == ("new@example.com", False, False)
    assert alice.check_password("a-password")


def test_support_sets_a_password(client, helper, alice):
    form = {"password1": "gangway-test-1", "password2": "gangway-test-1", "usable_password": "true"}

    assert client.post(_password_page(alice), form).status_code == 302

    alice.refresh_from_db()
    assert alice.check_password("gangway-test-1")


def test_support_does_not_touch_accounts_of_staff(client, helper):
    for colleague in (rows.make_staff(), helper, User.objects.create_superuser("root", "", "a-password")):
        assert client.get(_page(colleague)).status_code == 200
        assert client.post(_page(colleague), {"username": "x", "is_active": "on"}).status_code == 403
        assert client.post(_password_page(colleague), {}).status_code == 403


def test_superusers_decide_who_is_staff(admin_client, alice):
    form = {
        "username": "alice",
        "email": "",
        "first_name": "",
        "last_name": "",
        "is_active": "on",
        "is_staff": "on",
    }

    assert admin_client.post(_page(alice), form).status_code == 302

    alice.refresh_from_db()
    assert alice.is_staff


def test_accounts_are_not_deleted(admin_client, alice):
    assert admin_client.post(reverse("admin:devices_user_delete", args=[alice.pk]), {"post": "yes"}).status_code == 403


def test_a_tenant_keeps_its_region(admin_client):
    tenant = rows.make_tenant()
    other = tenant.region.__class__.objects.create(code="au", name="Australia")
    page = reverse("admin:devices_tenant_change", args=[tenant.pk])

    assert admin_client.post(page, {"name": "New", "slug": "new", "region": other.pk}).status_code == 302

    tenant.refresh_from_db()
    assert (tenant.name, tenant.region.code) == ("New", "eu")
