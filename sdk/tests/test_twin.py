from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gangway_device import Desired, FrameError, make_patch
from gangway_device.twin import Patch, Replace, Verdict, advance, read_desired, read_twin, read_welcome

HAVE = Desired(1, 5, {"a": 1})
documents = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)


@pytest.mark.parametrize(
    ("have", "change", "result"),
    [
        (None, Replace(HAVE), HAVE),
        (HAVE, Replace(HAVE), Verdict.IGNORE),
        (HAVE, Replace(Desired(1, 4, {})), Desired(1, 4, {})),
        (HAVE, Replace(Desired(2, 1, {})), Desired(2, 1, {})),
        (HAVE, Patch(1, 5, 6, {"b": 2}), Desired(1, 6, {"a": 1, "b": 2})),
        (HAVE, Patch(1, 5, 9, {"a": None}), Desired(1, 9, {})),
        (HAVE, Patch(1, 4, 5, {"b": 2}), Verdict.IGNORE),
        (HAVE, Patch(1, 2, 3, {"b": 2}), Verdict.IGNORE),
        (HAVE, Patch(1, 4, 6, {"b": 2}), Verdict.ASK),
        (HAVE, Patch(1, 6, 7, {"b": 2}), Verdict.ASK),
        (HAVE, Patch(2, 5, 6, {"b": 2}), Verdict.ASK),
        (None, Patch(1, 0, 1, {"b": 2}), Verdict.ASK),
    ],
)
def test_the_rule(have, change, result):
    assert advance(have, change) == result


@given(st.lists(documents, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_whatever_is_lost_or_repeated_the_device_ends_where_the_portal_is(history, random):
    have: Desired | None = None
    versions = [Desired(1, number, document) for number, document in enumerate(history)]
    frames = [
        Patch(1, old.version, new.version, make_patch(old.document, new.document))
        for old, new in zip(versions, versions[1:], strict=False)
    ]
    received = [frame for frame in frames for _ in range(random.choice([0, 1, 1, 2]))]
    for index, frame in enumerate([*received, *frames[-1:]]):
        result = advance(have, frame)
        if result is Verdict.ASK:
            sent = frame.version if index < len(received) else len(history) - 1
            result = advance(have, Replace(versions[sent]))
        if isinstance(result, Desired):
            assert result == versions[result.version]
            have = result
    if frames:
        assert have == versions[-1]


def test_frames_are_read():
    assert read_desired({"generation": 1, "from": 0, "version": 5, "document": {"a": 1}}) == Replace(HAVE)
    assert read_desired({"generation": 1, "from": 4, "version": 5, "patch": {"a": None}}) == Patch(1, 4, 5, {"a": None})
    assert read_twin({"generation": 1, "desired": {"a": 1, "$version": 5}}) == Replace(HAVE)


@pytest.mark.parametrize(
    ("welcome", "have", "result"),
    [
        ({"generation": 1, "desiredVersion": 5, "desired": {"a": 1}}, None, Replace(HAVE)),
        ({"generation": 1, "desiredVersion": 5}, HAVE, Verdict.IGNORE),
        ({"generation": 1, "desiredVersion": 6}, HAVE, Verdict.ASK),
        ({"generation": 2, "desiredVersion": 5}, HAVE, Verdict.ASK),
        ({"generation": 1, "desiredVersion": 5}, None, Verdict.ASK),
    ],
)
def test_a_welcome_is_read(welcome, have, result):
    assert read_welcome(welcome, have) == result


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"generation": 1, "version": True, "document": {}},
        {"generation": "1", "version": 1, "document": {}},
        {"generation": 1, "version": 1, "document": []},
        {"generation": 1, "version": 1, "patch": {}},
        {"generation": 1, "version": 1, "from": 0},
    ],
)
def test_what_is_no_change_is_refused(frame):
    with pytest.raises(FrameError):
        read_desired(frame)
