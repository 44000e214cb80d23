"""portal.lib.request_id."""

import contextvars

import pytest

from portal.lib.request_id import begin_request, current_request_id


def test_a_plain_id_is_kept_and_anything_else_replaced():
    assert begin_request("abc-123.DEF_") == "abc-123.DEF_" == current_request_id()


@pytest.mark.parametrize(
    "proposed", ["", "short", "x" * 65, "with blank", "line\nbreak", 'quote"quote', "ümlaut-ümlaut", "12345678\n"]
)
def test_what_could_disturb_a_log_gets_a_new_one(proposed):
    made = begin_request(proposed)
    assert made != proposed and len(made) == 32 and made.isalnum()


def test_each_unit_of_work_has_its_own():
    begin_request("outer-one")
    contextvars.copy_context().run(begin_request, "inner-one")
    assert current_request_id() == "outer-one"
