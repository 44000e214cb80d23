"""Pages of long lists, newest first. Keyset: the cost of a page does not grow with the pages before it."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter

from devices.errors import InvalidRequest

_PAGE = 50
_PAGE_MAXIMUM = 200
PAGE_PARAMETERS = (
    OpenApiParameter("limit", int, description=f"1 to {_PAGE_MAXIMUM}; {_PAGE} unless told."),
    OpenApiParameter("after", str, description="`next` of the page before."),
)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor of the next page; None on the last one."""

    rows: list[Any]
    next: str | None


def read_page(rows: QuerySet[Any], query: Mapping[str, str]) -> Page:
    """The page that `limit` and `after` ask for. Raises InvalidRequest."""
    if after := query.get("after"):
        rows = rows.filter(pk__lt=_read_cursor(after))
    limit = _read_limit(query.get("limit", ""))
    found = list(rows.order_by("-pk")[: limit + 1])
    page, has_more = found[:limit], len(found) > limit
    return Page(page, _write_cursor(page[-1].pk) if has_more else None)


def _read_limit(text: str) -> int:
    if not text:
        return _PAGE
    if text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= _PAGE_MAXIMUM:
        return int(text)
    problem = f"A limit is a whole number from 1 to {_PAGE_MAXIMUM}."
    raise InvalidRequest(problem, errors=[{"field": "limit", "detail": problem}])


def _write_cursor(pk: int) -> str:
    return base64.urlsafe_b64encode(f"d{pk}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        if text.startswith("d") and text[1:].isdigit():
            return min(int(text[1:20]), 2**62)
    except (binascii.Error, UnicodeError, ValueError):
        pass
    problem = "This is no cursor of ours."
    raise InvalidRequest(problem, errors=[{"field": "after", "detail": problem}])
