"""portal.lib.throttle, on a real Redis and without one."""

import pytest
from redis import Redis

from portal.lib import throttle
from tests.base import unique
from tests.racing import race
from tests.servers import redis_server
from tests.times import until


@pytest.fixture
def redis():
    return throttle._redis()


def test_events_are_counted_within_their_window(redis):
    key = unique("key")
    assert throttle.counted(key) == 0
    assert [throttle.count(key, window=60) for _ in range(3)] == [1, 2, 3]
    assert throttle.counted(key) == 3
    assert throttle.count(unique("key"), window=60) == 1


def test_a_window_begins_with_its_first_event_and_ends(redis):
    key = unique("key")
    throttle.count(key, window=60)
    redis.expire(throttle._PREFIX + key, 30)
    throttle.count(key, window=60)
    assert 0 < redis.ttl(throttle._PREFIX + key) <= 30
    redis.pexpire(throttle._PREFIX + key, 1)
    until(lambda: throttle.counted(key) == 0, "the end of the window")
    assert throttle.count(key, window=60) == 1
    assert redis.ttl(throttle._PREFIX + key) > 0


def test_no_count_stays_for_ever(redis):
    key = unique("key")

    def count():
        for _ in range(50):
            throttle.count(key, window=1)
            redis.pexpire(throttle._PREFIX + key, 1)

    assert race([count] * 4) == [None] * 4
    throttle.count(key, window=1)
    assert redis.ttl(throttle._PREFIX + key) >= 0


def test_of_many_at_once_each_is_counted_once():
    key = unique("key")
    counts = race([lambda: throttle.count(key, window=60)] * 30)
    assert sorted(counts) == list(range(1, 31))


def test_without_redis_nothing_is_counted_and_nobody_is_refused(monkeypatch, caplog):
    with redis_server() as url:
        client = Redis.from_url(url)
        monkeypatch.setattr(throttle, "_redis", lambda: client)
        assert throttle.count("key", window=60) == 1
        client.shutdown(nosave=True)
    assert throttle.count("key", window=60) == 0
    assert throttle.counted("key") == 0
    assert "throttle-unavailable" in caplog.text
    client.close()
