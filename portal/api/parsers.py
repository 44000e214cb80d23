"""Request bodies: strict JSON of bounded size."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from devices.errors import MalformedRequest, PayloadTooLarge
from portal.lib.strict_json import StrictJsonError, parse

BODY_LIMIT = 64 * 1024


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
