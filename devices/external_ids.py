"""Device ids that are chosen, not made by the portal: one per tenant, readable, never a secret."""

import re

from devices.errors import InvalidRequest

_EXTERNAL_ID = re.compile(r"[0-9A-Za-z_.-]{4,90}")


def check_external_id(text: str, *, field: str = "deviceId") -> str:
    """The id as it is. Raises InvalidRequest unless it has 4 to 90 characters of 0-9 A-Z a-z _ . -"""
    if not _EXTERNAL_ID.fullmatch(text):
        problem = "A device id has 4 to 90 characters of 0-9 A-Z a-z _ . -"
        raise InvalidRequest(problem, errors=[{"field": field, "detail": problem}])
    return text
