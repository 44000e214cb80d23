from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gangway_device import apply_patch, make_patch

names = st.sampled_from("abc")
plain = st.booleans() | st.integers(-3, 3) | st.text(max_size=3)
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))
documents = st.dictionaries(names, values, max_size=3)
patches = st.recursive(
    st.none() | plain | st.lists(plain, max_size=2), lambda inner: st.dictionaries(names, inner, max_size=3)
)


def exact(value):
    """Unlike ==, it tells True from 1."""
    return repr(value) if not isinstance(value, dict) else {name: exact(item) for name, item in value.items()}


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "c"}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        (["a"], {"a": 1}, {"a": 1}),
        ({"a": 1}, ["c"], ["c"]),
        ({"a": 1}, None, None),
    ],
)
def test_it_merges_as_the_rfc_says(target, patch, result):
    assert apply_patch(target, patch) == result


@given(values, patches)
def test_applying_twice_is_applying_once_and_modifies_nothing(target, patch):
    before = copy.deepcopy((target, patch))
    once = apply_patch(target, patch)
    assert exact(apply_patch(once, patch)) == exact(once)
    assert (target, patch) == before


@given(documents, documents)
def test_a_patch_that_was_made_leads_there(before, after):
    assert exact(apply_patch(before, make_patch(before, after))) == exact(after)


@given(documents)
def test_no_difference_is_no_patch(document):
    assert make_patch(document, copy.deepcopy(document)) == {}
