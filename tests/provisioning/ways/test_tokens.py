"""Provisioning tokens: made, checked, counted, revoked."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from devices.errors import InvalidRequest, InvalidTransition, Unauthenticated
from devices.models import HistoryEntry
from portal.lib.clock import now
from portal.lib.tokens import digest
from provisioning.errors import TokenUsedUp
from provisioning.models import ProvisioningToken
from provisioning.services.tokens import (
    find_token,
    note_expired_tokens,
    require_usable,
    revoke_provisioning_token,
    take_use,
)
from provisioning.token_models import Approval, DeviceIdPolicy
from tests.base import make_product, make_tenant
from tests.provisioning.ways.props import SYSTEM, fresh, history_of, make_operation, make_token

pytestmark = pytest.mark.django_db


def test_only_a_digest_of_the_secret_is_kept():
    token, secret = make_token(make_tenant())
    assert secret.startswith("gwp_") and len(secret) == 47
    assert token.digest == digest(secret) and secret.startswith(token.prefix)
    values = [str(value) for value in ProvisioningToken.objects.filter(pk=token.pk).values_list()[0]]
    assert not any(secret in value for value in values)
    assert secret not in repr(token) + str(token)


def test_it_is_found_by_its_secret_alone():
    token, secret = make_token(make_tenant())
    assert find_token(secret=secret) == token
    for wrong in ("", "gwp_", secret[:-1], secret.upper(), token.prefix):
        with pytest.raises(Unauthenticated):
            find_token(secret=wrong)


def test_it_ends_by_the_clock(moved_clock):
    token, _ = make_token(make_tenant(), expires_at=now() + timedelta(hours=1))
    require_usable(token=token)
    moved_clock.advance(hours=1)
    with pytest.raises(Unauthenticated):
        require_usable(token=token)


def test_its_end_is_noted_once(moved_clock):
    token, _ = make_token(make_tenant(), expires_at=now() + timedelta(hours=1))
    make_token(make_tenant())
    assert note_expired_tokens() == 0
    moved_clock.advance(hours=1)
    assert note_expired_tokens() == 1
    assert note_expired_tokens() == 0
    assert [(before, after) for before, after, _ in history_of(token)] == [("", "usable"), ("usable", "expired")]


def test_it_is_revoked_once_and_its_operations_end():
    token, _ = make_token(make_tenant())
    operation = make_operation(token)
    assert revoke_provisioning_token(token=token, actor=SYSTEM, reason="lost") is True
    assert revoke_provisioning_token(token=fresh(token), actor=SYSTEM) is False
    assert fresh(operation).state == "expired"
    assert history_of(operation)[-1] == ("waiting", "expired", "its provisioning token was revoked")
    assert history_of(token)[-1] == ("usable", "revoked", "lost")
    with pytest.raises(Unauthenticated):
        require_usable(token=fresh(token))


def test_uses_are_counted_up_to_the_limit():
    token, _ = make_token(make_tenant(), use_limit=2)
    take_use(token=token)
    take_use(token=token)
    with pytest.raises(TokenUsedUp):
        take_use(token=token)
    assert fresh(token).use_count == 2
    with pytest.raises(TokenUsedUp):
        require_usable(token=fresh(token))


def test_a_revoked_token_lets_nobody_in():
    token, _ = make_token(make_tenant())
    revoke_provisioning_token(token=token, actor=SYSTEM)
    with pytest.raises(InvalidTransition):
        take_use(token=token)


def test_the_database_refuses_more_uses_than_the_limit():
    token, _ = make_token(make_tenant(), use_limit=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        ProvisioningToken.objects.filter(pk=token.pk).update(use_count=2)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "x" * 101}),
        ("deviceId", {"device_id": "abc"}),
        ("deviceId", {"device_id": "a b c d"}),
        ("maximumCredentialLifetime", {"maximum_credential_lifetime": 299}),
        ("maximumCredentialLifetime", {"maximum_credential_lifetime": -1}),
        ("useLimit", {"use_limit": 0}),
        ("useLimit", {"use_limit": 2**31}),
        ("expiresAt", {"expires_at": now()}),
        (
            "deviceIdPolicy",
            {"approval": Approval.AUTOMATIC, "device_id_policy": DeviceIdPolicy.TECHNICIAN_MUST},
        ),
    ],
)
def test_a_wrong_member_is_named(field, wrong):
    from provisioning.services.tokens import create_provisioning_token

    with pytest.raises(InvalidRequest) as caught:
        create_provisioning_token(**{"tenant": make_tenant(), "name": "x", "actor": SYSTEM, **wrong})
    assert caught.value.errors[0]["field"] == field
    assert not ProvisioningToken.objects.exists()


def test_the_product_must_be_the_tenants():
    with pytest.raises(InvalidRequest):
        make_token(make_tenant(), product=make_product(make_tenant()))


def test_no_history_row_holds_the_secret():
    _, secret = make_token(make_tenant())
    assert not HistoryEntry.objects.filter(reason__contains=secret[4:]).exists()
