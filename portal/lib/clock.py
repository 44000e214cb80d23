"""The one clock. Validity is a comparison with `now()`, never a flag some task sets; tests move this clock, not the
machine's.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _read()


def _read() -> datetime:
    """The one place that reads the machine's clock: tests put another here, and every module sees the moved time."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as every API of the portal writes times: `2026-11-20T12:05:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
