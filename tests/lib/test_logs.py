"""portal.lib.logs: nothing from outside can forge a line or a member."""

import json
import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.lib.logs import JsonFormatter, TextFormatter, log_event
from portal.lib.request_id import begin_request


def record(**fields):
    made = []

    class Keeper(logging.Handler):
        def emit(self, record):
            made.append(record)

    logger = logging.getLogger("provisioning.test")
    keeper = Keeper()
    logger.addHandler(keeper)
    try:
        log_event(logger, "code-issued", **fields)
    finally:
        logger.removeHandler(keeper)
    return made[0]


def test_a_line_for_people():
    begin_request("request-1")
    line = TextFormatter().format(record(serial="A-1", network=None, count=3))
    assert line[8:] == " provisioning code-issued serial=A-1 count=3 request=request-1"


def test_a_line_for_log_stores():
    begin_request("request-1")
    document = json.loads(JsonFormatter().format(record(serial="A-1", network=None)))
    assert document.pop("time").endswith("+00:00")
    assert document == {
        "level": "info",
        "logger": "provisioning.test",
        "event": "code-issued",
        "serial": "A-1",
        "request": "request-1",
    }


@pytest.mark.parametrize(
    "value", ["a\nb", "a\r\n12:00:00 forged", 'a" b="c', "a b=c", "", "\x1b[31m", "\u2028", "\u202e"]
)
def test_a_value_cannot_forge_a_line_or_a_member(value):
    line = TextFormatter().format(record(serial=value, last="x"))
    assert len(line.splitlines()) == 1
    assert f" serial={json.dumps(value)} last=x" in line
    assert line.isprintable()


@given(st.text(alphabet=st.characters(exclude_categories=())))
@example("\ud800")
def test_any_value_stays_one_line_that_can_be_written(value):
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(record(serial=value))
        assert "\n" not in line and "\r" not in line
        line.encode()
    assert json.loads(line)["serial"] == value


def test_an_exception_is_told():
    try:
        raise KeyError("x")
    except KeyError:
        made = logging.LogRecord("portal", logging.ERROR, "", 1, "broken", (), __import__("sys").exc_info())
    assert "ERROR portal broken" in TextFormatter().format(made)
    assert "KeyError" in json.loads(JsonFormatter().format(made))["exception"]
