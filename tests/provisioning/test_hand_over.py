"""Once, and yet not lossy: docs/device-protocol.md on hand-overs that are bound to a key or a token."""

import json

import pytest

from devices.models import Credential
from devices.services.credentials import authenticate_device
from provisioning.errors import AlreadyProvisioned, WrongPoller
from provisioning.sealing import NotOpened, encode, open_with_token, read_public_key, seal_with_token
from provisioning.services.expiry import destroy_unconfirmed
from provisioning.states import EnrolmentState
from tests.base import api_client, collect, confirm, enrolment_of, make_poll_token, make_statement, poll, unlock
from tests.http import POLL, assert_problem, post
from tests.provisioning.sealed import KINDS, DeviceSide, assert_not_in_database, base64url

CONFIRM = "/api/v1/provisioning/confirm"


@pytest.fixture(params=KINDS)
def let_in(request, cast):
    side = DeviceSide(request.param)
    poll(side.statement)
    unlock(side.statement, cast.tenant_a)
    return side


def test_the_identical_bytes_are_given_again_until_the_device_confirms(let_in):
    first = poll(let_in.statement).body
    assert [poll(let_in.statement).body for _ in range(3)] == [first] * 3
    assert Credential.objects.count() == 1
    confirm(let_in.statement)
    with pytest.raises(AlreadyProvisioned):
        poll(let_in.statement)


def test_what_is_given_works_and_is_not_in_the_database(let_in):
    given = let_in.read(poll(let_in.statement).body)
    authenticate_device(device_id=given["deviceId"], secret=given["deviceSecret"], network=None)
    assert_not_in_database(given["deviceSecret"])


def test_a_sealed_answer_shows_nothing_of_the_secret(cast):
    side = DeviceSide("key")
    poll(side.statement)
    unlock(side.statement, cast.tenant_a)
    answer = poll(side.statement).body
    assert set(json.loads(answer)) == {"status", "suite", "sealed", "confirmBy"}
    assert side.read(answer)["deviceSecret"].encode() not in answer


def test_nobody_else_is_given_anything_before_or_after(let_in):
    serial = let_in.statement.serial_number
    thieves = [
        make_statement(serial),
        make_statement(serial, poll_token=make_poll_token()),
        DeviceSide("key", serial).statement,
    ]
    for _ in range(2):
        for thief in thieves:
            with pytest.raises(WrongPoller):
                poll(thief)
        poll(let_in.statement)
    confirm(let_in.statement)
    for thief in thieves:
        with pytest.raises(AlreadyProvisioned):
            poll(thief)


def test_after_a_quarter_of_an_hour_the_ciphertext_is_worth_nothing_with_and_without_the_sweep(let_in, moved_clock):
    poll(let_in.statement)
    moved_clock.advance(minutes=15)
    with pytest.raises(AlreadyProvisioned):
        poll(let_in.statement)
    assert destroy_unconfirmed() == 1
    assert destroy_unconfirmed() == 0
    enrolment = enrolment_of(let_in.statement)
    assert enrolment.sealed_hand_over is None
    assert enrolment.state == EnrolmentState.DELIVERED


def test_confirmation_destroys_the_ciphertext(let_in):
    poll(let_in.statement)
    assert enrolment_of(let_in.statement).sealed_hand_over is not None
    confirm(let_in.statement)
    enrolment = enrolment_of(let_in.statement)
    assert (enrolment.sealed_hand_over, enrolment.sealed_until) == (None, None)
    assert enrolment.confirmed_at is not None
    assert enrolment.state == EnrolmentState.CONFIRMED


def test_confirming_is_for_who_has_the_secret_and_may_be_repeated(let_in):
    given = let_in.read(poll(let_in.statement).body)
    client = api_client()
    for header in ("", "Bearer x", "Basic x", f"Basic {base64url(b'x')}"):
        answer = client.post(CONFIRM, headers={"Authorization": header} if header else {})
        assert_problem(answer, 401, "unauthenticated")
        assert answer["WWW-Authenticate"].startswith("Basic")
    assert enrolment_of(let_in.statement).state == EnrolmentState.DELIVERED
    from tests.live import basic

    for _ in range(2):
        answer = client.post(CONFIRM, headers={"Authorization": basic(given["deviceId"], given["deviceSecret"])})
        assert answer.status_code == 204
    assert enrolment_of(let_in.statement).state == EnrolmentState.CONFIRMED


def test_a_plain_poller_can_be_given_its_answer_once_only(cast):
    statement = make_statement()
    poll(statement)
    unlock(statement, cast.tenant_a)
    collect(statement)
    with pytest.raises(AlreadyProvisioned):
        poll(statement)
    assert enrolment_of(statement).sealed_hand_over is None


@pytest.mark.parametrize(
    "key",
    ["x", "A" * 43, "A" * 42 + "!", encode(b"\x01" + bytes(31)), encode(bytes(31)), encode(bytes(33)), 7, None, ["A"]],
)
@pytest.mark.django_db
def test_a_key_that_everybody_could_open_or_that_is_none_is_refused(key):
    assert_problem(post(POLL, {"serialNumber": "S-1", "publicKey": key}), 400, "invalid-request")


def test_public_keys_have_one_form():
    key = bytes(range(1, 33))
    assert read_public_key(encode(key)) == key
    with pytest.raises(ValueError, match="form"):
        read_public_key(encode(key) + "=")


def test_what_is_sealed_with_one_token_or_enrolment_opens_with_no_other():
    sealed = seal_with_token("t" * 40, b"one", b"secret")
    assert open_with_token("t" * 40, b"one", sealed) == b"secret"
    for token, salt in (("u" * 40, b"one"), ("t" * 40, b"two")):
        with pytest.raises(NotOpened):
            open_with_token(token, salt, sealed)
