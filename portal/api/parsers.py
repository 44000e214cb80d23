"""Request bodies: strict JSON of bounded size."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from devices.errors import MalformedRequest, PayloadTooLarge
from portal.lib.strict_json import StrictJsonError, parse

BODY_LIMIT = 64 * 1024
# 100,000 lines of the longest serial numbers.
LIST_LIMIT = 8 * 1024 * 1024


class StrictJSONParser(BaseParser):
    """One JSON object. Raises PayloadTooLarge, MalformedRequest."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        body = stream.read(BODY_LIMIT + 1)
        if len(body) > BODY_LIMIT:
            raise PayloadTooLarge(f"A body has at most {BODY_LIMIT} bytes.")
        try:
            document = parse(body)
        except StrictJsonError as error:
            raise MalformedRequest(str(error)) from None
        if not isinstance(document, dict):
            raise MalformedRequest("The body must be a JSON object.")
        return document


class MergePatchParser(StrictJSONParser):
    """A merge patch (RFC 7396); plain `application/json` is not one."""

    media_type = "application/merge-patch+json"


class CSVParser(BaseParser):
    """Lines of text, read as they are needed. Raises PayloadTooLarge, MalformedRequest while they are."""

    media_type = "text/csv"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return _lines(stream)


def _lines(stream: IO[Any]) -> Iterator[str]:
    size, number, rest = 0, 1, b""
    while chunk := stream.read(64 * 1024):
        size += len(chunk)
        if size > LIST_LIMIT:
            raise PayloadTooLarge(f"A list has at most {LIST_LIMIT} bytes.")
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield _text(line + b"\n", number)
            number += 1
    if rest:
        yield _text(rest, number)


def _text(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise MalformedRequest(f"Line {number} is not UTF-8.") from None
