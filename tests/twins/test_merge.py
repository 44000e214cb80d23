"""twins.merge: RFC 7396 and what follows from it."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twins.merge import apply_patch, difference, escape, leaves, same

# RFC 7396 appendix A, all of it: original, patch, result.
APPENDIX_A = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
SECTION_3 = (
    {
        "title": "Goodbye!",
        "author": {"givenName": "John", "familyName": "Doe"},
        "tags": ["example", "sample"],
        "content": "This will be unchanged",
    },
    {"title": "Hello!", "phoneNumber": "+01-123-456-7890", "author": {"familyName": None}, "tags": ["example"]},
    {
        "title": "Hello!",
        "author": {"givenName": "John"},
        "tags": ["example"],
        "content": "This will be unchanged",
        "phoneNumber": "+01-123-456-7890",
    },
)

NAMES = st.sampled_from(["a", "b", "c", "a/b", "~", "é"])
SCALARS = st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "x", "1"])
WITHOUT_NULL = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
DOCUMENTS = st.dictionaries(NAMES, WITHOUT_NULL, max_size=4)
PATCHES = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS | st.none() | st.lists(SCALARS, max_size=2),
        lambda inner: st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=12,
    ),
    max_size=4,
)


@pytest.mark.parametrize(("target", "patch", "result"), [*APPENDIX_A, SECTION_3])
def test_the_examples_of_rfc_7396(target, patch, result):
    before = copy.deepcopy((target, patch))
    assert apply_patch(target, patch) == result
    assert (target, patch) == before


@given(DOCUMENTS, DOCUMENTS)
def test_the_difference_leads_from_one_document_to_the_other(before, after):
    originals = copy.deepcopy((before, after))
    assert same(apply_patch(before, difference(before, after)), after)
    assert (before, after) == originals


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document):
    assert difference(document, copy.deepcopy(document)) == {}


@given(DOCUMENTS, PATCHES)
def test_a_patch_applied_twice_changes_nothing_more(document, patch):
    once = apply_patch(document, patch)
    assert same(apply_patch(once, patch), once)
    assert difference(once, apply_patch(once, patch)) == {}


@given(DOCUMENTS, PATCHES)
def test_what_really_changed_says_the_same_as_the_patch(document, patch):
    after = apply_patch(document, patch)
    assert same(apply_patch(document, difference(document, after)), after)


@given(DOCUMENTS, PATCHES)
def test_a_patch_leaves_no_null_behind(document, patch):
    assert None not in [value for _, value in leaves(apply_patch(document, patch))]


@given(DOCUMENTS, PATCHES, PATCHES)
def test_disjoint_patches_may_come_in_any_order(document, one, other):
    other = {name: value for name, value in other.items() if name not in one}
    assert same(apply_patch(apply_patch(document, one), other), apply_patch(apply_patch(document, other), one))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [(1, 1.0, True), (True, 1, False), (False, 0, False), (0.0, -0.0, True), ([1], [True], False), ("1", 1, False)]
    + [({"a": [{}]}, {"a": [{}]}, True), ({"a": {}}, {"a": []}, False), (None, False, False)],
)
def test_equality_is_that_of_json(one, other, equal):
    assert same(one, other) is equal


def test_true_and_1_are_a_change():
    assert difference({"a": 1}, {"a": True}) == {"a": True}


def test_leaves_are_named_by_json_pointers():
    document = {"a/b": {"c~d": 1}, "list": [1, {"x": 2}], "empty": {}}
    assert dict(leaves(document)) == {"/a~1b/c~0d": 1, "/list": [1, {"x": 2}], "/empty": {}}
    assert list(leaves({})) == []


def test_escaping_follows_rfc_6901():
    assert escape("~/") == "~0~1"
    assert escape("~1") == "~01"
