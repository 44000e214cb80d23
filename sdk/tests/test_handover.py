from __future__ import annotations

import json
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from fake_portal import DEVICE_ID, SECRET, SUITE, hand_over, seal
from gangway_device import ConfigurationError, HandOverUnreadable, Pending, base64url, sealing
from gangway_device.handover import hand_over_of, new_pending
from gangway_device.portal import TryLater

PORTAL = "https://portal.example"
PENDING = new_pending(PORTAL, "A1", "sealed")
HAND_OVER = hand_over_of(PENDING)
PUBLIC_KEY = HAND_OVER.binding()["publicKey"]
DOCUMENT = hand_over("wss://portal-au.example/hub/v1", "https://portal-au.example")
ANSWER = seal(PUBLIC_KEY, DOCUMENT)


def test_it_opens_what_was_sealed_to_its_key():
    credentials = HAND_OVER.open(ANSWER)
    assert (credentials.device_id, credentials.device_secret) == (DEVICE_ID, SECRET)
    assert credentials.serial_number == "A1" and credentials.confirm_at == PORTAL and not credentials.confirmed


def test_it_opens_what_an_earlier_version_could_open():
    """A known answer: whatever the library beneath changes, this must open for ever."""
    private_key = base64url.decode("BwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSY")
    sealed = base64url.decode(
        "rHmNk2569LwT8o_uu6sPsFAahQZDhTl70n8YG917DBbyeoWFi89SB9zGHNRqh07SS5WIXPCNdgzIy0uA6oWRhFMWgQ"
    )
    assert sealing.open_sealed(private_key, sealed) == b"an answer from 2026"
    assert base64url.encode(sealing.public_key_of(private_key)) == "B7jFQkh2hqeDAYVfy20_aoqRHNfxmDqbRNydzSKDnSM"


def test_every_enrolment_has_a_key_of_its_own():
    assert new_pending(PORTAL, "A1", "sealed").private_key != PENDING.private_key
    assert new_pending(PORTAL, "A1", "token").poll_token != new_pending(PORTAL, "A1", "token").poll_token


@pytest.mark.parametrize(
    "answer",
    [
        {**ANSWER, "suite": "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305"},
        {key: value for key, value in ANSWER.items() if key != "suite"},
        {key: value for key, value in ANSWER.items() if key != "sealed"},
        {**ANSWER, "sealed": 5},
        {**ANSWER, "sealed": "ä"},
        {**ANSWER, "sealed": ANSWER["sealed"][:-1]},
        seal(base64url.encode(X25519PrivateKey.generate().public_key().public_bytes_raw()), DOCUMENT),
        seal(PUBLIC_KEY, DOCUMENT, info=b"gangway hand-over 2"),
        seal(PUBLIC_KEY, {**DOCUMENT, "hubUrl": "file:///etc/passwd"}),
        seal(PUBLIC_KEY, {**DOCUMENT, "deviceSecret": ""}),
        seal(PUBLIC_KEY, {}),
        seal(PUBLIC_KEY, []),
        # Not sealed at all: whoever answers so does not know the protocol this device speaks.
        DOCUMENT,
    ],
)
def test_what_it_cannot_use_is_one_clear_error(answer):
    with pytest.raises(HandOverUnreadable, match="hand-over cannot be used") as caught:
        HAND_OVER.open(answer)
    error = caught.value
    assert SECRET not in repr(error) and (error.__suppress_context__ or error.__context__ is None)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_damaged_byte_goes_unnoticed(position, change):
    sealed = bytearray(base64url.decode(ANSWER["sealed"]))
    sealed[position % len(sealed)] ^= change
    # The highest bit of an X25519 point is not looked at (RFC 7748, section 5), but HPKE binds the bytes themselves.
    with pytest.raises(HandOverUnreadable):
        HAND_OVER.open({**ANSWER, "sealed": base64url.encode(bytes(sealed))})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
)


@given(
    st.dictionaries(
        st.sampled_from(["status", "suite", "sealed", "deviceId", "deviceSecret", "hubUrl", "portalUrl"]),
        st.sampled_from(["provisioned", SUITE, ANSWER["sealed"], "wss://h", "https://h:x", "http://[1"]) | json_values,
    ),
    st.sampled_from([PENDING, Pending(PORTAL, "A1", "a-token")]),
)
def test_no_answer_upsets_it(answer, pending):
    try:
        credentials = hand_over_of(pending).open(answer)
    except (HandOverUnreadable, TryLater):
        return
    assert answer["sealed"] == ANSWER["sealed"] and credentials.device_secret == SECRET


@pytest.mark.parametrize("answer", [{}, {"status": "pending"}, {**ANSWER, "status": None}])
def test_what_is_no_hand_over_is_no_error(answer):
    for pending in (PENDING, Pending(PORTAL, "A1", "a-token")):
        with pytest.raises(TryLater):
            hand_over_of(pending).open(answer)


def test_the_answer_does_not_say_where_to_confirm():
    sealed = seal(PUBLIC_KEY, {**DOCUMENT, "confirmAt": "https://rogue.example", "serialNumber": "B2"})
    credentials = HAND_OVER.open(sealed)
    assert (credentials.confirm_at, credentials.serial_number) == (PORTAL, "A1")


def test_the_token_needs_no_cryptography(monkeypatch):
    monkeypatch.delitem(sys.modules, "gangway_device.sealing")
    monkeypatch.delattr("gangway_device.sealing")
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    token = hand_over_of(new_pending(PORTAL, "A1", "token"))
    assert len(token.binding()["pollToken"]) >= 32 and token.open(DOCUMENT).device_secret == SECRET
    for needs_it in (lambda: new_pending(PORTAL, "A1", "sealed"), lambda: hand_over_of(PENDING)):
        with pytest.raises(ConfigurationError, match="'token'"):
            needs_it()


def test_there_is_no_third_kind():
    with pytest.raises(ConfigurationError, match="'sealed' and 'token'"):
        new_pending(PORTAL, "A1", "plain")


@pytest.mark.parametrize(
    "binding", [{}, {"poll_token": "t", "private_key": PENDING.private_key}, {"private_key": "AAAA"}]
)
def test_an_enrolment_has_one_binding(binding):
    with pytest.raises(ValueError, match="has"):
        Pending(PORTAL, "A1", **binding)


@given(st.binary(max_size=100))
def test_base64url(data):
    text = base64url.encode(data)
    assert base64url.decode(text) == data and json.dumps(text) == f'"{text}"'
    assert not set(text) & set("+/=")
