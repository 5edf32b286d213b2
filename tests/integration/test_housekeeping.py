"""Trimming never takes what some group still needs; only consumers with nothing pending are removed."""

from typing import Any

import pytest

from tests.support.streams import add, consumers, group_of, length, pending
from tests.support.wait import wait_until
from worker.settings import Settings
from worker.streams import read, trim
from worker.streams.connection import Redis
from worker.streams.consumers import remove_consumer, remove_idle_consumers


@pytest.fixture
def stream(redis: Redis, settings: Settings) -> str:
    """A stream with the group."""
    read.create_groups(redis, group_of(settings.stream_key), [settings.stream_key])
    return settings.stream_key


def take(redis: Redis, stream: str, count: int, group: str | None = None) -> list[str]:
    """Deliver so many entries; their ids."""
    answer: Any = redis.xreadgroup(group or group_of(stream), "one", {stream: ">"}, count=count)
    return [entry_id.decode() for _, items in answer for entry_id, _ in items]


def left(redis: Redis, stream: str) -> list[str]:
    entries: Any = redis.xrange(stream)
    return [entry_id.decode() for entry_id, _ in entries]


def test_what_is_acknowledged_goes_and_nothing_else(redis: Redis, stream: str) -> None:
    added = add(redis, stream, [b"x"] * 10)
    redis.xack(stream, group_of(stream), *take(redis, stream, 4))
    assert trim.trim(redis, [stream], 0) == 4
    assert left(redis, stream) == added[4:]


def test_what_is_acknowledged_stays_for_the_window_by_the_clock_of_redis(redis: Redis, stream: str) -> None:
    now: Any = redis.time()
    old = [f"{(now[0] - age) * 1000}-0" for age in (900, 600, 200)]
    for entry_id in old:
        redis.xadd(stream, {"event": b"x"}, id=entry_id)
    young = add(redis, stream, [b"x"] * 2)
    redis.xack(stream, group_of(stream), *take(redis, stream, 4))
    assert trim.trim(redis, [stream], 300) == 2
    assert left(redis, stream) == [old[2], *young]
    assert trim.trim(redis, [stream], 0) == 2
    assert left(redis, stream) == young[1:], "what nobody was given stays without a window too"


def test_everything_goes_when_everything_is_acknowledged(redis: Redis, stream: str) -> None:
    add(redis, stream, [b"x"] * 10)
    redis.xack(stream, group_of(stream), *take(redis, stream, 10))
    assert trim.trim(redis, [stream], 0) == 10
    assert length(redis, stream) == 0
    assert trim.trim(redis, [stream], 0) == 0


def test_nothing_undelivered_goes(redis: Redis, stream: str) -> None:
    add(redis, stream, [b"x"] * 3)
    assert trim.trim(redis, [stream], 0) == 0
    assert length(redis, stream) == 3


def test_the_lowest_pending_entry_holds_all_behind_it(redis: Redis, stream: str) -> None:
    added = add(redis, stream, [b"x"] * 6)
    take(redis, stream, 6)
    redis.xack(stream, group_of(stream), *added[:2], *added[3:])
    assert trim.trim(redis, [stream], 0) == 2
    assert left(redis, stream) == added[2:]


@pytest.mark.parametrize("need", ["pending", "undelivered"])
def test_what_another_group_needs_stays(redis: Redis, stream: str, need: str) -> None:
    redis.xgroup_create(stream, "other", id="0")
    added = add(redis, stream, [b"x"] * 6)
    redis.xack(stream, group_of(stream), *take(redis, stream, 6))
    taken = take(redis, stream, 3, "other")
    kept = 3
    if need == "pending":
        redis.xack(stream, "other", taken[0])
        kept = 1
    else:
        redis.xack(stream, "other", *taken)
    assert trim.trim(redis, [stream], 0) == kept
    assert left(redis, stream) == added[kept:]


def test_a_stream_without_a_group_is_left_alone(redis: Redis, settings: Settings) -> None:
    add(redis, settings.stream_key, [b"x"])
    assert trim.trim(redis, [settings.stream_key, f"{settings.stream_key}:missing"], 0) == 0
    assert length(redis, settings.stream_key) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [("18446744073709551615-1", "18446744073709551615-7"), ("5-18446744073709551614", "5-18446744073709551615")],
)
def test_ids_beyond_what_a_script_can_count_are_left_alone(redis: Redis, stream: str, first: str, second: str) -> None:
    for entry_id in (first, second):
        redis.xadd(stream, {"event": "x"}, id=entry_id)
    redis.xack(stream, group_of(stream), *take(redis, stream, 1))
    trim.trim(redis, [stream], 0)
    assert left(redis, stream)[-1] == second
    assert take(redis, stream, 1) == [second]


def test_trimming_counts_over_all_streams(redis: Redis, settings: Settings, stream: str) -> None:
    other = f"{settings.stream_key}:0"
    read.create_groups(redis, group_of(other), [other])
    for each in (stream, other):
        add(redis, each, [b"x"] * 2)
        redis.xack(each, group_of(stream), *take(redis, each, 2))
    assert trim.trim(redis, [stream, other], 0) == 4


def test_an_idle_consumer_is_removed_and_a_fresh_one_stays(redis: Redis, stream: str) -> None:
    redis.xgroup_createconsumer(stream, group_of(stream), "idle")
    wait_until(lambda: redis.xinfo_consumers(stream, group_of(stream))[0]["idle"] >= 50, what="idleness")
    redis.xgroup_createconsumer(stream, group_of(stream), "fresh")
    assert remove_idle_consumers(redis, group_of(stream), [stream], 60) == set()
    assert remove_idle_consumers(redis, group_of(stream), [stream], 0.05) == {"idle"}
    assert consumers(redis, stream) == {"fresh"}


def test_a_consumer_with_something_pending_stays_with_it(redis: Redis, stream: str) -> None:
    add(redis, stream, [b"x"])
    read.read_new(redis, group_of(stream), "holder", [stream], 1, None)
    assert remove_idle_consumers(redis, group_of(stream), [stream], 0) == set()
    assert remove_consumer(redis, group_of(stream), [stream], "holder") == set()
    assert len(pending(redis, stream)) == 1


def test_a_consumer_leaves_every_stream_where_nothing_is_pending(redis: Redis, settings: Settings, stream: str) -> None:
    other = f"{settings.stream_key}:0"
    read.create_groups(redis, group_of(other), [other])
    add(redis, other, [b"x"])
    for each in (stream, other):  # Redis 7.0 knows a consumer only once it was given something, or was made
        redis.xgroup_createconsumer(each, group_of(stream), "one")
        redis.xgroup_createconsumer(each, group_of(stream), "two")
    read.read_new(redis, group_of(stream), "one", [stream, other], 1, None)
    assert remove_consumer(redis, group_of(stream), [stream, other, "missing"], "one") == {"one"}
    assert consumers(redis, stream) == {"two"}
    assert consumers(redis, other) == {"one", "two"}


def test_consumers_of_another_group_are_not_ours(redis: Redis, stream: str) -> None:
    redis.xgroup_create(stream, "other", id="0")
    redis.xgroup_createconsumer(stream, "other", "theirs")
    assert remove_idle_consumers(redis, group_of(stream), [stream], 0) == set()
    assert redis.xinfo_consumers(stream, "other")[0]["name"] == b"theirs"
