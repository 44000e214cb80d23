"""Where the next page begins, as text for URLs: keyset pagination, whose cost does not grow with the pages before."""

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar

from django.db.models import Model, QuerySet

from devices.errors import InvalidRequest

Row = TypeVar("Row", bound=Model)


def newest_page(rows: QuerySet[Row], *, after: str, size: int) -> tuple[list[Row], str]:
    """One page of rows, newest first, and the cursor of the next ("" on the last). Raises InvalidRequest."""
    if after:
        rows = rows.filter(pk__lt=_read(after))
    found = list(rows.order_by("-pk")[: size + 1])
    return found[:size], _write(found[size - 1].pk) if len(found) > size else ""


def _write(pk: int) -> str:
    return base64.urlsafe_b64encode(str(pk).encode()).decode().rstrip("=")


def _read(cursor: str) -> int:
    decode: Callable[[str], bytes] = base64.urlsafe_b64decode
    try:
        return min(int(decode(cursor + "=" * (-len(cursor) % 4))[:19]), 2**62)
    except (binascii.Error, ValueError):
        raise InvalidRequest("This page's address is not complete. Start again from the first page.") from None
