"""Settings: provisioning tokens, and the gauge of guessed codes."""

import re

import pytest
from django.contrib.sessions.models import Session

from portal.lib.tokens import digest
from provisioning.models import ProvisioningToken
from tests.base import make_code, make_product, no_such_id
from tests.console.pages import logged_in, text_of, url
from tests.provisioning.ways.props import make_operation, make_token

# What pages show does not depend on the database; what they call is tested on both.
pytestmark = [pytest.mark.django_db, pytest.mark.once]
FIELDS = {"name": "Line 3", "policy": "device-may", "approval": "needed"}
PAGE = "provisioning-tokens"


@pytest.fixture
def alice(cast):
    return logged_in(cast.alice)


def create(client, **fields):
    return client.post(url(PAGE), {"create": "1", **FIELDS, **fields})


def test_a_token_is_made_and_its_secret_is_shown_once(cast, alice):
    lamp = make_product(cast.tenant_a, "lamp")
    answer = create(
        alice, product=str(lamp.public_id), approval="automatic", use_limit="5", expires_days="30", lifetime_days="90"
    )
    [secret] = set(re.findall(r"gwp_[\w-]{43}", answer.content.decode()))
    token = ProvisioningToken.objects.get()
    assert token.digest == digest(secret)
    assert (token.tenant, token.product, token.use_limit) == (cast.tenant_a, lamp, 5)
    assert (
        token.maximum_credential_lifetime == 90 * 86400
        and round((token.expires_at - token.created_at).total_seconds()) == 30 * 86400
    )
    assert token.created_by == cast.alice
    assert "no-store" in answer["Cache-Control"]
    again = alice.get(url(PAGE))
    assert secret not in again.content.decode()
    assert secret not in str([session.get_decoded() for session in Session.objects.all()])
    for word in ("Line 3", "Lamp", "0 of 5", "usable", "The token lets devices in"):
        assert word.lower() in text_of(again).lower()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "A token needs a name"),
        ({"name": "a\x00b"}, "A token needs a name"),
        ({"policy": "whoever"}, "who may choose the device id"),
        ({"approval": ""}, "whether a person approves"),
        ({"use_limit": "0"}, "at least one device"),
        ({"use_limit": "-1"}, "digits only"),
        ({"use_limit": "9" * 11}, "at least one device"),
        ({"expires_days": "0"}, "number of days"),
        ({"expires_days": "99999"}, "number of days"),
        ({"lifetime_days": "1.5"}, "digits only"),
        ({"device_id": "a b"}, "A device id has"),
        ({"policy": "technician-must", "approval": "automatic"}, "nobody who could choose"),
        ({"product": "nonsense"}, "Not found"),
    ],
)
def test_what_makes_no_token_is_said_and_kept_in_the_form(alice, fields, sentence):
    answer = create(alice, **{"name": "Kept name", **fields})
    assert answer.status_code == 200 and sentence in text_of(answer)
    if "name" not in fields:
        assert b'value="Kept name"' in answer.content
    assert not ProvisioningToken.objects.exists()


def test_the_product_and_the_tenant_are_ones_own(cast, alice):
    foreign = make_product(cast.tenant_b, "pump")
    assert "Pump" not in text_of(alice.get(url(PAGE)))
    create(alice, product=str(foreign.public_id))
    assert create(alice, tenant=str(cast.tenant_b.public_id)).status_code == 200
    assert not ProvisioningToken.objects.exists()


def test_revoking_names_what_it_ends(cast, alice):
    token = make_token(cast.tenant_a)[0]
    make_operation(token), make_operation(token)
    assert "Ends the token and the 2 devices that wait with it at once" in text_of(alice.get(url(PAGE)))
    answer = alice.post(url(PAGE), {"revoke": str(token.public_id)}, follow=True)
    assert "The token line 3 was revoked" in text_of(answer)
    assert "Nobody is waiting" in text_of(alice.get(url("waiting")))
    again = alice.post(url(PAGE), {"revoke": str(token.public_id)}, follow=True)
    assert "was revoked before" in text_of(again)


def test_tokens_that_ended_say_so(cast, alice, moved_clock):
    from datetime import timedelta

    from portal.lib.clock import now

    make_token(cast.tenant_a, expires_at=now() + timedelta(days=1))
    moved_clock.advance(seconds=90_000)
    assert "expired" in text_of(alice.get(url(PAGE)))


def test_only_administrators_see_and_make_tokens(cast, alice):
    token = make_token(cast.tenant_a)[0]
    for person in (cast.bob, cast.vera, cast.dora):
        client = logged_in(person)
        assert client.get(url(PAGE)).status_code == 403
        assert create(client).status_code == 403
        assert client.post(url(PAGE), {"revoke": str(token.public_id)}).status_code == 403
        assert url(PAGE) not in client.get(url("settings")).content.decode()
    assert url(PAGE) in alice.get(url("settings")).content.decode()
    assert ProvisioningToken.objects.get().revoked_at is None


@pytest.mark.parametrize("key", ["", "nonsense", None])
def test_a_token_that_is_not_ones_own_does_not_exist(cast, key):
    token = make_token(cast.tenant_a)[0]
    charlie = logged_in(cast.charlie)
    assert token.prefix not in text_of(charlie.get(url(PAGE)))
    for one in (str(token.public_id), no_such_id(), key or "x"):
        assert charlie.post(url(PAGE), {"revoke": one}).status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_the_gauge_tells_administrators_what_is_guessed(cast, alice):
    make_code()
    bob = logged_in(cast.bob)
    for _ in range(3):
        bob.post(url("claim"), {"entry": "222222"})
    shown = text_of(alice.get(url("settings")))
    assert "A code is enough to let a device in" in shown and "Wrong codes today 3" in shown
    assert "of at most 1 in" in shown
    assert b"<meter" in alice.get(url("settings")).content
    assert "Guessed codes" not in text_of(bob.get(url("settings")))


def test_the_gauge_says_what_entries_need_now(alice, guessed):
    make_code()
    assert "A code alone opens nothing" in text_of(alice.get(url("settings")))
