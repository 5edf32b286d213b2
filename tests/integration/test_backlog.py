"""What waits in the streams, as `status` shows it and stalled streams are found by it."""

from tests.support.streams import add, group_of
from tests.support.wait import wait_until
from worker.settings import Settings
from worker.streams import backlog, read
from worker.streams.backlog import Backlog
from worker.streams.connection import Redis


def measure(redis: Redis, stream: str) -> Backlog:
    (measured,) = backlog.measure(redis, group_of(stream), [stream])
    return measured


def test_a_stream_that_does_not_exist_has_no_backlog(redis: Redis, settings: Settings) -> None:
    assert backlog.measure(redis, group_of(settings.stream_key), [settings.stream_key]) == []
    assert backlog.is_empty([])


def test_before_the_group_exists_everything_waits(redis: Redis, settings: Settings) -> None:
    add(redis, settings.stream_key, [b"1", b"2"])
    measured = measure(redis, settings.stream_key)
    assert (measured.length, measured.lag, measured.pending, measured.consumers) == (2, 2, 0, 0)
    assert measured.oldest_unread_seconds is not None
    assert not backlog.is_empty([measured])


def test_lag_and_pending_are_what_was_not_read_and_not_acknowledged(redis: Redis, settings: Settings) -> None:
    stream = settings.stream_key
    added = add(redis, stream, [b"1", b"2", b"3"])
    read.create_groups(redis, group_of(stream), [stream])
    entries = read.read_new(redis, group_of(stream), "one", [stream], 2, None)
    measured = measure(redis, stream)
    assert (measured.length, measured.lag, measured.pending, measured.consumers) == (3, 1, 2, 1)
    assert measured.last_delivered_id == added[1]
    read.acknowledge(redis, group_of(stream), entries)
    assert not backlog.is_empty([measure(redis, stream)])
    read.acknowledge(redis, group_of(stream), read.read_new(redis, group_of(stream), "one", [stream], 2, None))
    measured = measure(redis, stream)
    assert (measured.oldest_pending_seconds, measured.oldest_unread_seconds) == (None, None)
    assert backlog.is_empty([measured])


def test_ages_grow_from_when_the_entry_came(redis: Redis, settings: Settings) -> None:
    stream = settings.stream_key
    redis.xadd(stream, {"event": "x"}, id="1000-0")
    add(redis, stream, [b"1"])
    read.create_groups(redis, group_of(stream), [stream])
    read.read_new(redis, group_of(stream), "one", [stream], 1, None)
    measured = measure(redis, stream)
    assert measured.oldest_pending_seconds is not None
    assert measured.oldest_pending_seconds > 1_000_000
    assert measured.oldest_unread_seconds is not None
    assert measured.oldest_unread_seconds < 60
    wait_until(lambda: (measure(redis, stream).oldest_unread_seconds or 0) > 0.02, what="ageing")


def test_the_lag_is_counted_where_redis_lost_it(redis: Redis, settings: Settings) -> None:
    stream = settings.stream_key
    added = add(redis, stream, [b"1", b"2", b"3", b"4"])
    read.create_groups(redis, group_of(stream), [stream])
    read.read_new(redis, group_of(stream), "one", [stream], 1, None)
    redis.xdel(stream, added[2])
    assert redis.xinfo_groups(stream)[0]["lag"] is None
    assert measure(redis, stream).lag == 2


def test_an_entry_from_the_future_has_no_negative_age(redis: Redis, settings: Settings) -> None:
    redis.xadd(settings.stream_key, {"event": "x"}, id="99999999999999-0")
    assert measure(redis, settings.stream_key).oldest_unread_seconds == 0


def test_another_group_does_not_count(redis: Redis, settings: Settings) -> None:
    stream = settings.stream_key
    add(redis, stream, [b"1"])
    redis.xgroup_create(stream, "other", id="0")
    redis.xreadgroup("other", "theirs", {stream: ">"})
    read.create_groups(redis, group_of(stream), [stream])
    measured = measure(redis, stream)
    assert (measured.lag, measured.pending, measured.consumers) == (1, 0, 0)
