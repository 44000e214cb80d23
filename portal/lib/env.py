"""Typed reading of environment variables.

Every reader takes the variable's name and a default, and raises ConfigurationError with one sentence a person can act
on. A secret `NAME` may also be given as `NAME_FILE`, the path of a file that holds it (as container platforms do).
"""

import os
from collections.abc import Mapping
from pathlib import Path


class ConfigurationError(Exception):
    """A variable holds something the portal cannot use. The text is for the person who set it."""


class Environment:
    """Reads typed values from a mapping, by default the process environment."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str = "") -> str:
        """The value with blanks at its ends removed; an empty one counts as not set."""
        return self._values.get(name, "").strip() or default

    def secret(self, name: str, default: str = "") -> str:
        """As `text`, or the content of the file that `NAME_FILE` names."""
        path = self.text(f"{name}_FILE")
        if not path:
            return self.text(name, default)
        try:
            return Path(path).read_text(encoding="utf-8").strip() or default
        except OSError as error:
            raise ConfigurationError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error

    def integer(self, name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
        text = self.text(name)
        if not text:
            return default
        try:
            value = int(text)
        except ValueError:
            raise ConfigurationError(f"{name} must be a whole number, not {text!r}.") from None
        if minimum is not None and value < minimum or maximum is not None and value > maximum:
            raise ConfigurationError(f"{name} is {value}; it must be {_range(minimum, maximum)}.")
        return value

    def fraction(self, name: str, default: float, *, minimum: float, maximum: float) -> float:
        """A number such as `0.0001` or `1e-4`."""
        text = self.text(name)
        try:
            value = float(text) if text else default
        except ValueError:
            raise ConfigurationError(f"{name} must be a number, not {text!r}.") from None
        # Written so that "nan" is refused as well.
        if not minimum <= value <= maximum:
            raise ConfigurationError(f"{name} is {text}; it must be between {minimum} and {maximum}.")
        return value

    def boolean(self, name: str, default: bool = False) -> bool:
        text = self.text(name).lower()
        if not text:
            return default
        if text in {"1", "true", "yes", "on"}:
            return True
        if text in {"0", "false", "no", "off"}:
            return False
        raise ConfigurationError(f"{name} must be 1 or 0 (true, false, yes, no, on, off), not {text!r}.")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, default)
        if text not in choices:
            raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
        return text

    def items(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """A list separated by commas; blanks around items and empty items are dropped."""
        return [item.strip() for item in self.text(name).split(",") if item.strip()] or list(default)


def _range(minimum: int | None, maximum: int | None) -> str:
    if minimum is None:
        return f"at most {maximum}"
    if maximum is None:
        return f"at least {minimum}"
    return f"between {minimum} and {maximum}"
