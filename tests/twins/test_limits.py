"""twins.limits: each rule, with the JSON pointer of what offends it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import DomainError
from twins.errors import InvalidPatch, TwinTooLarge
from twins.limits import DEPTH, INTEGER, check_patch, check_size, document_size
from twins.merge import apply_patch


def nested(depth, innermost=1):
    document = innermost
    for _ in range(depth):
        document = {"a": document}
    return document


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"a": None},
        {"a": {"b": None}},
        {"a": [1, "x", True, {"b": [2]}]},
        {"a": INTEGER, "b": -INTEGER, "c": 0.1, "d": -1.5e-300},
        {"name with ümlaut".replace(" ", "_"): "x" * 4096},
        {"n" * 1024: 1},
        {"~/": 1},
        nested(DEPTH),
        {"a": "tab\tand\nline"},
        {"a": "\U0001f600"},
    ],
    ids=lambda patch: str(patch)[:40],
)
def test_a_patch_within_the_limits_passes(patch):
    check_patch(patch)


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ([], ""),
        (None, ""),
        ("text", ""),
        ({"a": {"b": INTEGER + 1}}, "/a/b"),
        ({"a": -INTEGER - 1}, "/a"),
        ({"a": [0, INTEGER + 1]}, "/a/1"),
        ({"a": float("nan")}, "/a"),
        ({"a": float("inf")}, "/a"),
        ({"a": 1e300}, "/a"),
        ({"a": -1e16}, "/a"),
        ({"a": [None]}, "/a/0"),
        ({"a": [{"b": None}]}, "/a/0/b"),
        ({"a": [{"b": {"c/d": None}}]}, "/a/0/b/c~1d"),
        ({"a": [[None]]}, "/a/0/0"),
        ({"": 1}, "/"),
        ({"a": {"": 1}}, "/a/"),
        ({"a.b": 1}, "/a.b"),
        ({"a": {"$c": 1}}, "/a/$c"),
        ({"a b": 1}, "/a b"),
        ({"a": [{"b c": 1}]}, "/a/0/b c"),
        ({"a\x00": 1}, "/a\x00"),
        ({"a\x1f": 1}, "/a\x1f"),
        ({"a\x7f": 1}, "/a\x7f"),
        ({"a\x85": 1}, "/a\x85"),
        ({"\ud800": 1}, "/\ud800"),
        ({"n" * 1025: 1}, "/" + "n" * 1025),
        ({"é" * 513: 1}, "/" + "é" * 513),
        ({"~": {"/": "x" * 4097}}, "/~0/~1"),
        ({"a": "é" * 2049}, "/a"),
        ({"a": "\x00"}, "/a"),
        ({"a": "\udfff"}, "/a"),
        (nested(DEPTH + 1), "/a" * DEPTH),
        ({"a": nested(DEPTH)}, "/a" * DEPTH),
    ],
    ids=lambda value: str(value.encode("ascii", "backslashreplace"))[:50] if isinstance(value, str) else None,
)
def test_what_offends_a_rule_is_named(patch, pointer):
    with pytest.raises(InvalidPatch) as refusal:
        check_patch(patch)
    assert refusal.value.data["pointer"] == pointer
    assert refusal.value.status == 422


def test_arrays_count_as_depth():
    document = 1
    for _ in range(DEPTH):
        document = [document]
    with pytest.raises(InvalidPatch):
        check_patch({"a": document})


@pytest.mark.parametrize(("section", "limit"), [("tags", 8192), ("desired", 32768), ("reported", 32768)])
def test_a_section_has_its_size(section, limit):
    full = {"a": "x" * (limit - 1)}
    check_size(section, {}, full)
    with pytest.raises(TwinTooLarge):
        check_size(section, {}, {"a": "x" * limit})


def test_a_section_over_its_limit_may_shrink_and_not_grow():
    over = {f"a{number}": "x" * 4000 for number in range(10)}
    smaller, larger = apply_patch(over, {"a0": None}), apply_patch(over, {"b": 1})
    assert document_size(smaller) > 32768
    check_size("desired", over, smaller)
    check_size("desired", over, apply_patch(over, {"a0": "y" * 4000}))
    with pytest.raises(TwinTooLarge):
        check_size("desired", over, larger)


def test_sizes_are_counted_as_azure_counts_them():
    assert document_size({"né": [1, 2.5, True, "xé", {}]}) == 3 + 8 + 8 + 4 + 3


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(ANYTHING)
def test_whatever_passes_can_be_stored_and_sent(patch):
    try:
        check_patch(patch)
    except DomainError:
        return
    assert json.loads(json.dumps(patch, allow_nan=False, ensure_ascii=False).encode()) == patch
