"""portal.lib.clock."""

from datetime import UTC, datetime, timedelta, timezone

from portal.lib.clock import now, rfc3339


def test_now_is_aware_and_in_utc():
    assert now().utcoffset() == timedelta(0)


def test_every_module_sees_the_moved_time(moved_clock):
    from devices.services import sessions

    moved_clock.advance(days=400)
    assert now() == sessions.now() == moved_clock.moment > datetime.now(UTC)


def test_times_are_written_as_rfc_3339_with_milliseconds():
    moment = datetime(2026, 11, 20, 13, 5, 0, 999, tzinfo=timezone(timedelta(hours=1)))
    assert rfc3339(moment) == "2026-11-20T12:05:00.000Z"
    assert datetime.fromisoformat(rfc3339(moment)).utcoffset() == timedelta(0)
