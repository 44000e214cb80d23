"""portal.lib.tokens."""

import re

from hypothesis import given
from hypothesis import strategies as st

from portal.lib.tokens import PREFIX_LENGTH, digest, keyed_digest, matches, mint


def test_a_secret_carries_256_bits_and_says_what_it_is():
    minted = [mint("gwd") for _ in range(50)]
    assert len({one.secret for one in minted}) == 50
    for one in minted:
        assert re.fullmatch(r"gwd_[A-Za-z0-9_-]{43}", one.secret)
        assert one.prefix == one.secret[:PREFIX_LENGTH]
        assert matches(one.digest, digest(one.secret))
        assert one.secret not in repr(one)


def test_the_digest_is_sha_256():
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.text(), st.text())
def test_a_keyed_digest_depends_on_key_purpose_and_value(one, other):
    base = keyed_digest("key", "purpose", one)
    assert base == keyed_digest("key", "purpose", one)
    assert base != keyed_digest("another key", "purpose", one)
    assert base != keyed_digest("key", "another", one)
    assert (keyed_digest("key", "purpose", other) == base) is (one == other)


def test_digests_are_compared_whole():
    assert matches("", "")
    assert not matches("a", "")
    assert not matches("ab", "a")
