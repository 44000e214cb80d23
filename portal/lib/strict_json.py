"""JSON as the portal accepts it: no duplicate member (RFC 8259 leaves their meaning open), no NaN, no Infinity."""

import json
from typing import Any


class StrictJsonError(ValueError):
    """The text is no JSON, or JSON that two readers could take for different things."""


def parse(text: str | bytes) -> Any:
    """Raises StrictJsonError, with a sentence that repeats nothing of the text."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
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


def _constant(name: str) -> Any:
    raise StrictJsonError(f"It holds {name}, which is no JSON.")
