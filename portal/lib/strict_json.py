"""JSON as the portal accepts it: no duplicate member and no half of a surrogate pair (RFC 8259 leaves their meaning
open), no NaN, no Infinity.
"""

import json
import re
from typing import Any

# Only an escape can bring one in. A pair is found too, and then looked at more closely.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class StrictJsonError(ValueError):
    """The text is no JSON, or JSON that two readers could take for different things."""


def parse(text: str | bytes) -> Any:
    """Raises StrictJsonError, with a sentence that repeats nothing of the text."""
    try:
        if isinstance(text, bytes):
            # json.loads would take UTF-16 and UTF-32 too.
            text = text.decode("utf-8-sig")
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        if _SURROGATE.search(text):
            _refuse_halves(document)
        return document
    except StrictJsonError:
        raise
    except RecursionError:
        raise StrictJsonError("It is nested too deeply.") from None
    except UnicodeDecodeError:
        raise StrictJsonError("It is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"It is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError:
        # CPython refuses integers of more than 4,300 digits.
        raise StrictJsonError("A number in it is too long.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise StrictJsonError("An object in it names a member twice.")
    return result


def _refuse_halves(document: Any) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise StrictJsonError("It holds half of a surrogate pair.") from None


def _constant(name: str) -> Any:
    raise StrictJsonError(f"It holds {name}, which is no JSON.")
