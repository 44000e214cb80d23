"""Structured logging: one line per event, named in words, with its data as members.

    log_event(logger, "code-issued", serial="A-1", network="10.0.0.7")

What a secret is never goes in here: no code, no credential, no token, no body of a request.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from portal.lib.request_id import current_request_id

_FIELDS = "gangway_fields"


def log_event(logger: logging.Logger, event: str, /, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write one event; members that are None are left out."""
    present = {name: value for name, value in fields.items() if value is not None}
    logger.log(level, event, extra={_FIELDS: present})


def _members(record: logging.LogRecord) -> dict[str, Any]:
    members = dict(getattr(record, _FIELDS, {}))
    if request_id := current_request_id():
        members["request"] = request_id
    return members


class TextFormatter(logging.Formatter):
    """For people: `12:00:05 provisioning code-issued serial=A-1 network=10.0.0.7`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        severity = "" if record.levelno <= logging.INFO else f"{record.levelname} "
        members = "".join(f" {name}={_plain(value)}" for name, value in _members(record).items())
        line = f"{moment} {severity}{record.name.split('.')[0]} {record.getMessage()}{members}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """For log stores: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_members(record),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        line = json.dumps(document, default=str, ensure_ascii=False)
        # Half of a surrogate pair cannot be written as UTF-8; as an escape it is JSON all the same.
        return line.encode("utf-8", "backslashreplace").decode()


def _plain(value: Any) -> str:
    text = str(value)
    # Quoted as JSON, a value from outside cannot forge a second line or a second member.
    return text if text.isprintable() and text and not set(text) & set(' "=') else json.dumps(text)
