from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gangway_device import CredentialsRefused
from gangway_device.backoff import LONGEST_WAIT, Backoff, parse_retry_after
from gangway_device.endings import ComeBack, after_close, after_refused_upgrade


def test_the_bound_doubles_up_to_the_cap_and_starts_over():
    backoff = Backoff(1, 60, uniform=lambda low, high: high - low)
    assert [backoff.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert backoff.next() == 1


def test_the_jitter_is_full():
    assert Backoff(8, 60, uniform=lambda low, high: low).next() == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("5", 5.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 400, LONGEST_WAIT),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60.0),
        ("Fri, 20 Nov 2026 12:01:00 -0000", 60.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value, seconds):
    assert parse_retry_after(value, datetime(2026, 11, 20, 12, 0, tzinfo=UTC)) == seconds


def test_bye_counts_for_closes_that_are_no_verdict():
    assert after_close(1012, "restart", 7.0) == ComeBack("the connection was closed [1012] restart", 7.0)
    assert after_close(None, "", None).after is None
    with pytest.raises(CredentialsRefused):
        after_close(4401, "", 7.0)


def test_retry_after_counts_for_busy_hubs_only():
    assert after_refused_upgrade(503, 9.0, 0).after == 9.0
    assert after_refused_upgrade(502, 9.0, 0).after is None
    assert after_refused_upgrade(403, None, 2).after is None
    with pytest.raises(CredentialsRefused):
        after_refused_upgrade(403, None, 3)
