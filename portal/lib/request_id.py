"""The id of the unit of work at hand: a request, a socket connection. It is in every log line, error and history row
of it.
"""

import re
import uuid
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="")
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def current_request_id() -> str:
    """The present id, or "" outside any request."""
    return _current.get()


def begin_request(proposed: str = "") -> str:
    """Start a unit of work under the id a proxy in front proposed, if it is a plain one, else under a new one."""
    request_id = proposed if _ACCEPTABLE.fullmatch(proposed) else uuid.uuid4().hex
    _current.set(request_id)
    return request_id
