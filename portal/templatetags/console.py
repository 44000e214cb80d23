"""Times and JSON, as pages show them. Named `console` because only the Console's templates load it."""

import json
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.lib.clock import now, rfc3339

register = template.Library()

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


@register.filter
def age(moment: datetime | None) -> SafeString | str:
    """How long ago, in one unit, with the exact time on hover: `12 s`. static/js/time.js keeps it fresh."""
    return _time(moment, "age", "{}")


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """The same as a phrase: `12 s ago`."""
    return _time(moment, "ago", "{} ago")


@register.filter
def remaining(moment: datetime) -> SafeString:
    """How long until a moment, counted down by static/js/time.js: `4:31`."""
    seconds = max(0, int((moment - now()).total_seconds()))
    text = f"{seconds // 60}:{seconds % 60:02}"
    return format_html('<time datetime="{}" data-time="left">{}</time>', rfc3339(moment), text)


@register.filter
def moment(when: datetime) -> SafeString:
    """A moment to come, as date and time; static/js/time.js puts it into the viewer's zone."""
    text = when.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")
    return format_html('<time datetime="{}" data-time="moment">{}</time>', rfc3339(when), text)


@register.filter
def span(seconds: int) -> str:
    """A length of time in the largest unit that divides it: `24 h`, `7 d`, `90 s`."""
    if seconds == _UNITS[0][0]:
        return "24 h"
    length, unit = next(((length, unit) for length, unit in _UNITS if seconds % length == 0), (1, "s"))
    return f"{seconds // length} {unit}"


@register.filter
def as_json(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


@register.filter
def as_json_lines(value: Any) -> str:
    """JSON for reading."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _time(moment: datetime | None, kind: str, phrase: str) -> SafeString | str:
    if moment is None:
        return ""
    exact = moment.astimezone(UTC).strftime("%-d %b %Y, %H:%M:%S UTC")
    return format_html(
        '<time datetime="{}" title="{}" data-time="{}">{}</time>',
        rfc3339(moment),
        exact,
        kind,
        phrase.format(_duration((now() - moment).total_seconds())),
    )


def _duration(seconds: float) -> str:
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"
