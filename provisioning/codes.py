"""Provisioning codes as text: six symbols that no eye confuses."""

import re
import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 6
_FOLDED_AWAY = re.compile(r"[\s-]+")
_CODE = re.compile(rf"[{ALPHABET}]{{{LENGTH}}}")


def make_code() -> str:
    """A random code: 31^6, close to 30 bits. Whoever stores it must see that it is not in use."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def normalise_code(entry: str) -> str | None:
    """The code a person meant (any case, blanks and hyphens anywhere), or None when it has not the shape of one.

    Shape is checked before the database is asked: what cannot be a code costs nothing and tells nothing.
    """
    code = _FOLDED_AWAY.sub("", entry).upper()
    return code if _CODE.fullmatch(code) else None


def group_code(code: str) -> str:
    """As people read it: `K7M 2QX`."""
    return f"{code[:3]} {code[3:]}"
