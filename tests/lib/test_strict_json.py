"""portal.lib.strict_json."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.lib.strict_json import StrictJsonError, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_what_json_writes_is_read(document, ascii_only):
    text = json.dumps(document, ensure_ascii=ascii_only)
    assert parse(text) == document
    assert parse(text.encode()) == document


@given(st.binary() | st.text())
def test_whatever_comes_is_read_or_refused_without_repeating_it(text):
    try:
        parse(text)
    except StrictJsonError as refusal:
        assert str(refusal).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a":1,"a":1}', "twice"),
        ('[{"b":{"a":1,"a":2}}]', "twice"),
        ('{"a":1,"\\u0061":2}', "twice"),
        ("NaN", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ("[" * 100_000, "deeply"),
        ("9" * 5000, "too long"),
        (b"\xff", "UTF-8"),
        ('{"a":1}'.encode("utf-16"), "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udc00":1}', "surrogate"),
        ('["\\ude00\\ud83d"]', "surrogate"),
        ("", "not JSON"),
        ("hidden-7", "not JSON"),
        ("{} {}", "not JSON"),
        ('"a\nb"', "not JSON"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_two_readers_could_take_for_different_things_is_refused(text, said):
    with pytest.raises(StrictJsonError, match=said) as refusal:
        parse(text)
    assert "hidden-7" not in str(refusal.value)


def test_a_pair_of_surrogates_is_one_character():
    assert parse('"\\ud83d\\ude00"') == "\U0001f600"
    assert parse('"\\\\ud800"') == "\\ud800"


def test_a_byte_order_mark_does_no_harm():
    assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}
