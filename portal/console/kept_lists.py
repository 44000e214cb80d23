"""A list that somebody looks at before it is imported: kept for a while, for that person and that product alone."""

import secrets
import zlib
from collections.abc import Iterator
from typing import IO, Any

from django.core.cache import cache

from devices.errors import MalformedRequest, PayloadTooLarge
from devices.models import Product
from portal.api.parsers import LIST_LIMIT

_KEPT_FOR = 15 * 60  # seconds


def read_list(upload: IO[Any] | None, typed: str) -> str:
    """The text of the file, or else what was typed. Raises PayloadTooLarge, MalformedRequest."""
    if upload is None:
        return typed
    body: bytes = upload.read(LIST_LIMIT + 1)
    if len(body) > LIST_LIMIT:
        raise PayloadTooLarge(f"A list has at most {LIST_LIMIT} bytes.")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedRequest("The file is not UTF-8. Save it as CSV in UTF-8, and choose it again.") from None


def lines_of(text: str) -> Iterator[str]:
    """The lines as the importer takes them, each with its end."""
    return (f"{line}\n" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def keep_list(*, user_id: int, product: Product, text: str) -> str:
    """Keep the text. The answer is what it is found by."""
    name = secrets.token_urlsafe(16)
    cache.set(_key(user_id, product, name), zlib.compress(text.encode()), _KEPT_FOR)
    return name


def take_list(*, user_id: int, product: Product, name: str) -> str | None:
    """The text that was kept, or None when it is too long ago or somebody else's."""
    kept = cache.get(_key(user_id, product, name)) if name.isascii() and name.isprintable() else None
    return zlib.decompress(kept).decode() if kept is not None else None


def drop_list(*, user_id: int, product: Product, name: str) -> None:
    cache.delete(_key(user_id, product, name))


def _key(user_id: int, product: Product, name: str) -> str:
    return f"serial-list:{user_id}:{product.pk}:{name[:64].replace(' ', '')}"
