"""twins.protocol: text ⇄ frames."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.errors import DomainError, TooManyRequests
from twins import protocol
from twins.errors import InvalidFrame, InvalidPatch, MalformedFrame
from twins.models import Twin

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
TYPES = st.sampled_from(["hello", "getTwin", "report", "applied", "failed", "ping", "pong", ""])
MEMBERS = st.fixed_dictionaries(
    {"type": TYPES | JSON},
    optional=dict.fromkeys(
        ["id", "protocol", "generation", "desiredVersion", "agent", "patch", "version", "reason"], JSON
    ),
)


@given(st.text() | JSON.map(json.dumps) | MEMBERS.map(json.dumps))
@example("[" * 100_000)
@example('{"type":' * 20_000)
@example("9" * 5000)
@example('{"type":"ping","id":"\\ud800"}')
@example('{"type":"applied","version":1e999}')
@example('{"type":"ping","type":"ping"}')
def test_whatever_comes_is_a_frame_or_an_error_of_the_vocabulary(text):
    try:
        frame = protocol.read_frame(text)
    except DomainError as error:
        answer = protocol.error_frame(frame_id=str(error.data.get("id", "")) or None, error=error)
    else:
        answer = protocol.pong(frame_id=frame.id)
    json.loads(answer.encode())


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"type":"hello"}', protocol.Hello(None, None, None, "")),
        (
            '{"type":"hello","id":"1","protocol":1,"generation":5,"desiredVersion":0,"agent":"x 1"}',
            protocol.Hello("1", 5, 0, "x 1"),
        ),
        ('{"type":"getTwin","id":"a"}', protocol.GetTwin("a")),
        ('{"type":"report","patch":{"a":null}}', protocol.Report(None, {"a": None})),
        ('{"type":"applied","version":3}', protocol.Acknowledge(None, 3, False, "")),
        ('{"type":"failed","version":3,"reason":"no"}', protocol.Acknowledge(None, 3, True, "no")),
        ('{"type":"failed","version":3}', protocol.Acknowledge(None, 3, True, "")),
        ('{"type":"ping","id":null,"colour":"blue"}', protocol.Ping(None)),
    ],
)
def test_each_frame_is_read(text, frame):
    assert protocol.read_frame(text) == frame


@pytest.mark.parametrize(
    "text",
    ["", "x", "null", "[]", '"ping"', "{}", '{"type":1}', '{"type":null}', '{"type":"ping","a":NaN}']
    + ['{"type":"ping","id":"1","id":"2"}', '{"type":"ping","id":"\\ud800"}', '{"type":"ping"}{"type":"ping"}'],
)
def test_what_is_no_frame_at_all_is_malformed(text):
    with pytest.raises(MalformedFrame) as refusal:
        protocol.read_frame(text)
    assert refusal.value.ws_code == 4400


@pytest.mark.parametrize(
    ("members", "keeps_id"),
    [
        ({"type": "pong"}, True),
        ({"type": "hello", "protocol": 2}, True),
        ({"type": "hello", "protocol": "1"}, True),
        ({"type": "hello", "agent": 1}, True),
        ({"type": "hello", "generation": -1}, True),
        ({"type": "hello", "desiredVersion": 1.0}, True),
        ({"type": "hello", "desiredVersion": True}, True),
        ({"type": "hello", "desiredVersion": None}, True),
        ({"type": "report"}, True),
        ({"type": "report", "patch": []}, True),
        ({"type": "applied"}, True),
        ({"type": "applied", "version": "1"}, True),
        ({"type": "applied", "version": 2**53}, True),
        ({"type": "failed", "version": 1, "reason": 5}, True),
        ({"type": "ping", "id": ""}, False),
        ({"type": "ping", "id": 7}, False),
        ({"type": "ping", "id": "x" * 65}, False),
    ],
)
def test_a_frame_that_is_none_of_the_protocols_is_named_by_its_id(members, keeps_id):
    with pytest.raises(InvalidFrame) as refusal:
        protocol.read_frame(json.dumps({"id": "mine", **members} if keeps_id else members))
    assert refusal.value.ws_code is None
    assert refusal.value.data.get("id", "") == ("mine" if keeps_id else "")


def test_words_of_a_device_are_made_harmless():
    text = json.dumps({"type": "failed", "version": 1, "reason": "no\n\x1b[31m\u202e" + "x" * 600})
    reason = protocol.read_frame(text).reason
    assert reason.isprintable() and len(reason) == 512
    agent = protocol.read_frame(json.dumps({"type": "hello", "agent": "a\x00b" + "c" * 200})).agent
    assert agent.isprintable() and len(agent) == 128


def test_no_frame_holds_the_tags():
    twin = Twin(generation=1, tags={"secret-tag": "x"}, desired={"a": 1}, reported={"b": 2}, desired_version=4)
    frames = [
        protocol.twin_frame(frame_id=None, twin=twin),
        protocol.desired_document(twin=twin, from_version=3),
        protocol.welcome(
            frame_id="1", session_id="s", device_id="d", tenant_id="t", twin=twin, heartbeat=30, with_document=True
        ),
    ]
    assert not any("tag" in frame for frame in frames)
    assert json.loads(frames[0])["desired"] == {"a": 1, "$version": 4}


def test_an_error_says_what_to_do():
    frame = json.loads(protocol.error_frame(frame_id="1", error=TooManyRequests("Slower.", retry_after=10)))
    assert frame == {
        "type": "error",
        "id": "1",
        "code": "too-many-requests",
        "title": "Too many requests",
        "detail": "Slower.",
        "retryAfter": 10,
    }
    assert json.loads(protocol.error_frame(frame_id=None, error=InvalidPatch("x", pointer="/a")))["pointer"] == "/a"
    assert json.loads(protocol.bye(code=1012, retry_after=5)) == {"type": "bye", "code": 1012, "retryAfter": 5}
