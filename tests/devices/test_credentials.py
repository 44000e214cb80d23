"""devices.services.credentials and devices.services.api_tokens."""

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidRequest, Unauthenticated
from devices.models import ApiToken, Credential, DeviceState, HistoryEntry
from devices.services.api_tokens import authenticate_api_token, create_api_token, revoke_api_token
from devices.services.credentials import authenticate_device, issue_device_secret, revoke_credentials
from portal.lib.clock import now
from tests.base import aboard, make_device, make_tenant, make_user

pytestmark = pytest.mark.django_db


def authenticate(aboard, device_id=None, secret=None):
    return authenticate_device(
        device_id=device_id or aboard.device_id, secret=secret or aboard.secret, network="192.0.2.1"
    )


@pytest.fixture
def device():
    return aboard(make_tenant())


def test_a_device_is_known_by_its_id_and_secret(device):
    known = authenticate(device)
    assert (known.device_id, str(known.public_id)) == (device.device.pk, device.device_id)
    assert authenticate(device, device_id=device.device_id.upper()) == known


def test_every_refusal_is_the_same(device):
    other = aboard(make_tenant())
    said = set()
    for wrong in ({"device_id": other.device_id}, {"secret": other.secret}, {"secret": "x"}, {"device_id": "x"}):
        with pytest.raises(Unauthenticated) as refusal:
            authenticate(device, **wrong)
        said.add(str(refusal.value))
    assert len(said) == 1


def test_expired_revoked_suspended_and_retired_are_refused(device, moved_clock):
    row = Credential.objects.filter(device=device.device)
    row.update(expires_at=now() + timedelta(seconds=10))
    assert authenticate(device)
    moved_clock.advance(seconds=10)
    with pytest.raises(Unauthenticated):
        authenticate(device)
    row.update(expires_at=None)
    for state in (DeviceState.SUSPENDED, DeviceState.RETIRED):
        type(device.device).objects.filter(pk=device.device.pk).update(state=state)
        with pytest.raises(Unauthenticated):
            authenticate(device)
    type(device.device).objects.filter(pk=device.device.pk).update(state=DeviceState.ACTIVE)
    assert revoke_credentials(device=device.device, actor=Actor.system(), reason="test") == 1
    assert revoke_credentials(device=device.device, actor=Actor.system(), reason="test") == 0
    with pytest.raises(Unauthenticated):
        authenticate(device)


def test_a_device_has_one_live_secret():
    device = make_device(make_tenant())
    with pytest.raises(IntegrityError), transaction.atomic():
        issue_device_secret(device=device, actor=Actor.system())
    revoke_credentials(device=device, actor=Actor.system(), reason="test")
    assert issue_device_secret(device=device, actor=Actor.system())


def test_only_a_digest_is_kept(device):
    rows = json.dumps([*Credential.objects.values(), *HistoryEntry.objects.values()], default=str)
    assert device.secret not in rows
    assert device.secret not in str(Credential.objects.get()) + repr(Credential.objects.get())


def test_use_is_noted_once_a_minute(device, moved_clock, django_assert_num_queries):
    authenticate(device)
    with django_assert_num_queries(1):
        authenticate(device)
    moved_clock.advance(seconds=61)
    with django_assert_num_queries(2):
        authenticate(device)
    assert Credential.objects.get().last_used_at == moved_clock.moment


def test_a_secret_in_the_wrong_field_is_not_logged(device, caplog):
    with pytest.raises(Unauthenticated):
        authenticate(device, device_id=device.secret)
    assert all(device.secret not in str(record.__dict__) for record in caplog.records)


def test_an_api_token_is_shown_once_and_works_until_it_is_revoked(moved_clock):
    user = make_user()
    token, secret = create_api_token(user=user, name="  a   name ")
    assert token.name == "a name" and secret.startswith("gwt_")
    assert secret not in json.dumps(list(ApiToken.objects.values()), default=str)
    assert authenticate_api_token(secret=secret).user == user
    assert revoke_api_token(token=token)
    assert not revoke_api_token(token=token)
    with pytest.raises(Unauthenticated):
        authenticate_api_token(secret=secret)


def test_an_api_token_ends_with_its_time_and_with_its_user(moved_clock):
    user = make_user()
    _, secret = create_api_token(user=user, name="x", expires_at=now() + timedelta(days=1))
    assert authenticate_api_token(secret=secret)
    moved_clock.advance(days=1)
    with pytest.raises(Unauthenticated):
        authenticate_api_token(secret=secret)
    _, secret = create_api_token(user=user, name="y")
    type(user).objects.update(is_active=False)
    with pytest.raises(Unauthenticated):
        authenticate_api_token(secret=secret)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_an_api_token_needs_a_name(name):
    with pytest.raises(InvalidRequest):
        create_api_token(user=make_user(), name=name)
