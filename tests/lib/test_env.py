"""portal.lib.env."""

import pytest

from portal.lib.env import ConfigurationError, Environment


def env(**values):
    return Environment(values)


def test_text_is_trimmed_and_empty_counts_as_unset():
    assert env(A="  x ").text("A") == "x"
    assert env(A="   ").text("A", "default") == "default"
    assert env().text("A") == ""


def test_a_secret_may_be_in_a_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(" hidden \n")
    assert env(A_FILE=str(path), A="other").secret("A") == "hidden"
    assert env(A="other").secret("A") == "other"
    path.write_text("\n")
    assert env(A_FILE=str(path)).secret("A", "default") == "default"
    with pytest.raises(ConfigurationError, match="A_FILE names .*nothing"):
        env(A_FILE=str(tmp_path / "nothing")).secret("A")


@pytest.mark.parametrize(("text", "value"), [("5", 5), (" -3 ", -3), ("", 7)])
def test_an_integer_is_read(text, value):
    assert env(A=text).integer("A", 7) == value


@pytest.mark.parametrize(
    ("text", "limits", "said"),
    [
        ("x", {}, "whole number"),
        ("1.5", {}, "whole number"),
        ("0", {"minimum": 1}, "at least 1"),
        ("9", {"maximum": 8}, "at most 8"),
        ("9", {"minimum": 1, "maximum": 8}, "between 1 and 8"),
    ],
)
def test_a_wrong_integer_is_named_in_one_sentence(text, limits, said):
    with pytest.raises(ConfigurationError, match=said) as refusal:
        env(PORT=text).integer("PORT", 1, **limits)
    assert "PORT" in str(refusal.value) and str(refusal.value).endswith(".")


@pytest.mark.parametrize(("text", "value"), [("1", True), ("YES", True), ("on", True), ("0", False), ("False", False)])
def test_a_boolean_is_read(text, value):
    assert env(A=text).boolean("A") is value
    assert env().boolean("A", default=value) is value


def test_a_wrong_boolean_or_choice_is_refused():
    with pytest.raises(ConfigurationError, match="A must be 1 or 0"):
        env(A="maybe").boolean("A")
    assert env(A="b").choice("A", "a", ("a", "b")) == "b"
    with pytest.raises(ConfigurationError, match="one of a, b"):
        env(A="c").choice("A", "a", ("a", "b"))


def test_a_list_is_separated_by_commas():
    assert env(A=" a, ,b,").items("A") == ["a", "b"]
    assert env(A=" , ").items("A", ("x",)) == ["x"]
