from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gangway_device import FrameError
from gangway_device.frames import MAX_FRAME_BYTES, integer, mapping, parse, parse_object, seconds, serialise

numbers = st.integers(-(2**52), 2**52) | st.floats(-1e15, 1e15)
leaves = st.booleans() | numbers | st.text(st.characters(codec="utf-8"), max_size=5)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abä", max_size=3), inner | st.none())
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), values, max_size=4))
def test_what_is_written_can_be_read(members):
    frame = {**members, "type": "report"}
    assert parse(serialise(frame)) == frame


@given(st.text(max_size=30) | st.binary(max_size=10))
def test_reading_anything_gives_a_frame_or_the_one_error(text):
    with suppress(FrameError):
        assert isinstance(parse(text)["type"], str)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"type": 1}',
        '{"type":"a","type":"a"}',
        '{"type":"a","b":{"c":1,"c":2}}',
        '{"type":"a","b":NaN}',
        '{"type":"a","b":[-Infinity]}',
        '{"type":"a"} x',
        "[" * 60_000,
        '{"type":"a","b":' + "9" * 5000 + "}",
        b'{"type":"a"}',
    ],
)
def test_it_refuses_to_read(text):
    with pytest.raises(FrameError):
        parse(text)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**52 + 1, -(2**60), [None], {"a": [{"b": [None]}]}, {1: 2}, object(), b"", "\ud800"],
)
def test_it_refuses_to_write(value):
    with pytest.raises(FrameError):
        serialise({"type": "report", "patch": value})


def test_it_refuses_to_write_what_refers_to_itself():
    loop: dict = {}
    loop["loop"] = loop
    with pytest.raises(FrameError):
        serialise(loop)


def test_the_limit_counts_bytes():
    room = MAX_FRAME_BYTES - len(json.dumps({"type": ""}, separators=(",", ":")))
    assert len(serialise({"type": "x" * room})) == MAX_FRAME_BYTES
    with pytest.raises(FrameError, match="65536 bytes"):
        serialise({"type": "ä" * room})


def test_null_may_delete_a_member():
    assert serialise({"type": "report", "patch": {"a": None}}) == '{"type":"report","patch":{"a":null}}'


def test_members_are_checked():
    frame = parse_object('{"type": "t", "n": 1, "f": 1.5, "b": true, "s": "x", "m": {}, "minus": -1}')
    assert integer(frame, "n") == 1 and mapping(frame, "m") == {} and seconds(frame, "f") == 1.5
    for name in ("b", "f", "s", "none"):
        with pytest.raises(FrameError, match=name):
            integer(frame, name)
    for name in ("b", "s", "minus", "none"):
        assert seconds(frame, name) is None
    with pytest.raises(FrameError):
        mapping(frame, "s")
