import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.codes import ALPHABET, LENGTH, group_code, make_code, normalise_code

CODES = st.text(alphabet=ALPHABET, min_size=LENGTH, max_size=LENGTH)


def test_no_eye_confuses_two_symbols():
    assert len(ALPHABET) == len(set(ALPHABET)) == 31
    assert not set(ALPHABET) & set("01OIL")


def test_a_code_is_six_symbols_of_the_alphabet():
    for _ in range(200):
        code = make_code()
        assert len(code) == 6 and set(code) <= set(ALPHABET)


def test_codes_use_the_whole_alphabet():
    assert set("".join(make_code() for _ in range(500))) == set(ALPHABET)


@given(CODES, st.lists(st.sampled_from([" ", "-", "\t", "\N{NO-BREAK SPACE}"]), max_size=7))
def test_case_blanks_and_hyphens_are_folded_away(code, decoration):
    entry = code.lower()
    for position, mark in enumerate(decoration):
        entry = entry[: position * 2] + mark + entry[position * 2 :]
    assert normalise_code(entry) == code


@given(CODES)
def test_a_grouped_code_is_read_back(code):
    assert normalise_code(group_code(code)) == code


@given(st.text(max_size=40))
def test_whatever_is_entered_is_a_code_or_none(entry):
    code = normalise_code(entry)
    assert code is None or (len(code) == LENGTH and set(code) <= set(ALPHABET))


@pytest.mark.parametrize("entry", ["", "K7M2Q", "K7M2QXX", "K7M2Q0", "K7M2Q1", "K7M2QO", "K7M2QI", "K7M2QL", "K7M_2QX"])
def test_what_cannot_be_a_code_is_none(entry):
    assert normalise_code(entry) is None
