"""How far a device is behind: twins.drift."""

import pytest

from twins.drift import ABSENT, compare, settings_behind, value_at


@pytest.mark.parametrize(
    ("desired", "reported", "behind"),
    [
        ({}, {}, 0),
        ({}, {"a": 1}, 0),
        ({"a": 1}, {"a": 1}, 0),
        ({"a": 1}, {"a": 1.0}, 0),
        ({"a": 1}, {"a": True}, 1),
        ({"a": 1}, {"a": "1"}, 1),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, 1),
        ({"a": {"b": 1, "c": 2}}, {"a": 5}, 2),
        ({"a": 5}, {"a": {"b": 1}}, 1),
        ({"a": [1, 2]}, {"a": [2, 1]}, 1),
        ({"a": {}}, {"a": {}}, 0),
        ({"a/b": 1}, {"a": {"b": 1}}, 1),
        ({"a~b": {"c/d": 1}}, {"a~b": {"c/d": 1}}, 0),
        ({"a": 1}, {}, 1),
    ],
)
def test_it_counts_desired_leaves_that_are_reported_otherwise_or_not_at_all(desired, reported, behind):
    assert settings_behind(desired, reported, applied=False) == behind


def test_where_nothing_is_reported_the_acknowledgement_counts():
    assert settings_behind({"a": 1, "b": 2}, {"a": 1}, applied=True) == 0
    assert settings_behind({"a": 1, "b": 2}, {"a": 0}, applied=True) == 1


def test_leaves_of_both_sections_are_told_side_by_side():
    leaves = {leaf.pointer: leaf for leaf in compare({"a": 1}, {"b": {"c": None}}, applied=False)}
    assert leaves["/a"].desired == 1 and leaves["/a"].reported is ABSENT and leaves["/a"].is_behind
    assert leaves["/b/c"].desired is ABSENT and leaves["/b/c"].reported is None and not leaves["/b/c"].is_behind


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/a/b", 1), ("/a", {"b": 1}), ("/x", ABSENT), ("/a/b/c", ABSENT), ("/s~1l", 2), ("/l/0", ABSENT)],
)
def test_a_pointer_leads_to_a_value_or_to_none(pointer, value):
    assert value_at({"a": {"b": 1}, "s/l": 2, "l": [1]}, pointer) == value
