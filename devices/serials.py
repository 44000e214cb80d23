"""Serial numbers: what the maker printed. Unique per product, never a secret."""

import re

from devices.errors import InvalidRequest

MAXIMUM_LENGTH = 64
_PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?")
_FOLDED_AWAY = re.compile(r"[\s-]+")


def check_serial_number(text: str) -> str:
    """The serial number without blanks at its ends.

    Raises InvalidRequest unless it is 1 to 64 printable ASCII characters with at least one that is no hyphen or blank.
    """
    serial = text.strip()
    if not _PRINTABLE.fullmatch(serial) or not serial_key(serial):
        problem = f"A serial number has 1 to {MAXIMUM_LENGTH} printable ASCII characters."
        raise InvalidRequest(problem, errors=[{"field": "serialNumber", "detail": problem}])
    return serial


def serial_key(text: str) -> str:
    """What serial numbers are compared by: people and labels disagree about case, blanks and hyphens."""
    return _FOLDED_AWAY.sub("", text).upper()
