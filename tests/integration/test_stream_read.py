"""Reading as a member of the group: nothing skipped, nothing lost, deliveries counted."""

from typing import Any

import pytest
from redis import ResponseError

from tests.support.events import body, viewed
from tests.support.streams import add, consumers, deliver, group_of, pending
from tests.support.wait import wait_until
from worker.contract.entry import Entry
from worker.settings import Settings
from worker.streams import accounting, read
from worker.streams.connection import Redis
from worker.streams.keys import Keys


@pytest.fixture
def stream(redis: Redis, settings: Settings) -> str:
    """A stream with the group."""
    read.create_groups(redis, group_of(settings.stream_key), [settings.stream_key])
    return settings.stream_key


def ids(entries: list[Entry]) -> list[str]:
    return [entry.id for entry in entries]


def test_new_entries_come_once_in_order_and_stay_pending_until_acknowledged(redis: Redis, stream: str) -> None:
    events = [viewed(seconds=n) for n in range(3)]
    added = add(redis, stream, events)
    entries = read.read_new(redis, group_of(stream), "one", [stream], 10, None)
    assert entries == [Entry(stream, added[n], body(events[n])) for n in range(3)]
    assert read.read_new(redis, group_of(stream), "two", [stream], 10, None) == []
    assert pending(redis, stream) == dict.fromkeys(added, ("one", 1))
    read.acknowledge(redis, group_of(stream), entries[:2])
    assert list(pending(redis, stream)) == added[2:]


def test_the_count_holds_for_each_stream(redis: Redis, settings: Settings, stream: str) -> None:
    other = f"{settings.stream_key}:0"
    read.create_groups(redis, group_of(other), [other])
    first, second = add(redis, stream, [b"1", b"2", b"3"]), add(redis, other, [b"4", b"5", b"6"])
    assert sorted(ids(read.read_new(redis, group_of(stream), "one", [stream, other], 2, None))) == sorted(
        first[:2] + second[:2]
    )


def test_a_blocking_read_returns_empty_after_its_time(redis: Redis, stream: str) -> None:
    assert read.read_new(redis, group_of(stream), "one", [stream], 10, 0.01) == []
    assert read.read_new(redis, group_of(stream), "one", [stream], 10, 0.0001) == []


def test_an_entry_without_the_field_has_no_body(redis: Redis, stream: str) -> None:
    redis.xadd(stream, {"something": "else"})
    ((entry),) = read.read_new(redis, group_of(stream), "one", [stream], 10, None)
    assert entry.body is None


def test_the_own_pending_entries_come_again_and_nobody_elses(redis: Redis, stream: str) -> None:
    added = add(redis, stream, [b"1", b"2", b"3"])
    read.read_new(redis, group_of(stream), "one", [stream], 2, None)
    read.read_new(redis, group_of(stream), "two", [stream], 2, None)
    again = read.read_pending(redis, group_of(stream), "one", {stream: "0"}, 10)
    assert (ids(again), [entry.body for entry in again]) == (added[:2], [b"1", b"2"])
    assert ids(read.read_pending(redis, group_of(stream), "one", {stream: "0"}, 1)) == added[:1]
    assert read.read_pending(redis, group_of(stream), "three", {stream: "0"}, 10) == []


def test_a_pending_entry_that_somebody_deleted_is_let_go(redis: Redis, stream: str) -> None:
    added = add(redis, stream, [b"1", b"2", b"3"])
    read.read_new(redis, group_of(stream), "one", [stream], 10, None)
    redis.xdel(stream, added[1])
    assert ids(read.read_pending(redis, group_of(stream), "one", {stream: "0"}, 10)) == [added[0], added[2]]
    assert list(pending(redis, stream)) == [added[0], added[2]]


def test_reclaiming_walks_a_long_pending_list_page_by_page(redis: Redis, stream: str) -> None:
    added = add(redis, stream, [b"%d" % n for n in range(25)])
    deliver(redis, stream, "dead", added, times=1)
    cursor, found, pages = "0-0", [], 0
    while True:
        cursor, entries = read.reclaim(redis, group_of(stream), "one", stream, 60, cursor, 10)
        found += ids(entries)
        pages += 1
        if cursor == "0-0":
            break
    assert (found, pages) == (added, 3)
    assert {name for name, _ in pending(redis, stream).values()} == {"one"}


def test_reclaiming_leaves_what_is_not_idle_enough(redis: Redis, stream: str) -> None:
    add(redis, stream, [b"1"])
    read.read_new(redis, group_of(stream), "busy", [stream], 10, None)
    assert read.reclaim(redis, group_of(stream), "one", stream, 60, "0-0", 10) == ("0-0", [])
    wait_until(lambda: read.reclaim(redis, group_of(stream), "one", stream, 0.05, "0-0", 10)[1], what="idleness")


def test_reclaiming_drops_what_somebody_deleted(redis: Redis, stream: str) -> None:
    added = add(redis, stream, [b"1", b"2"])
    deliver(redis, stream, "dead", added, times=1)
    redis.xdel(stream, added[0])
    assert ids(read.reclaim(redis, group_of(stream), "one", stream, 60, "0-0", 10)[1]) == added[1:]
    assert list(pending(redis, stream)) == added[1:]


def test_every_delivery_counts(redis: Redis, settings: Settings, stream: str) -> None:
    other = f"{settings.stream_key}:0"
    read.create_groups(redis, group_of(other), [other])
    add(redis, stream, [b"1", b"2"])
    add(redis, other, [b"3"])
    entries = read.read_new(redis, group_of(stream), "one", [stream, other], 10, None)
    assert set(read.delivery_counts(redis, group_of(stream), "one", entries).values()) == {1}
    read.read_pending(redis, group_of(stream), "one", {stream: "0"}, 1)
    counts = read.delivery_counts(redis, group_of(stream), "one", entries)
    assert [counts[entry] for entry in sorted(entries, key=lambda entry: entry.body or b"")] == [2, 1, 1]
    assert read.delivery_counts(redis, group_of(stream), "two", entries) == {}
    assert read.delivery_counts(redis, group_of(stream), "one", []) == {}


def test_deliveries_to_others_count_after_a_reclaim(redis: Redis, stream: str) -> None:
    added = add(redis, stream, [b"1"])
    deliver(redis, stream, "dead", added, times=4)
    _, entries = read.reclaim(redis, group_of(stream), "one", stream, 60, "0-0", 10)
    assert list(read.delivery_counts(redis, group_of(stream), "one", entries).values()) == [5]


def test_counts_are_found_although_others_have_entries_in_between(redis: Redis, stream: str) -> None:
    add(redis, stream, [b"x"] * 100)
    own = []
    for _ in range(50):
        own += read.read_new(redis, group_of(stream), "one", [stream], 1, None)
        read.read_new(redis, group_of(stream), "two", [stream], 1, None)
    assert set(read.delivery_counts(redis, group_of(stream), "one", own)) == set(own)


def test_a_group_starts_at_the_first_entry(redis: Redis, settings: Settings) -> None:
    added = add(redis, settings.stream_key, [b"1", b"2"])
    read.create_groups(redis, group_of(settings.stream_key), [settings.stream_key])
    assert ids(read.read_new(redis, group_of(settings.stream_key), "one", [settings.stream_key], 10, None)) == added


def test_making_groups_again_moves_nothing(redis: Redis, stream: str) -> None:
    add(redis, stream, [b"1"])
    read.read_new(redis, group_of(stream), "one", [stream], 10, None)
    read.create_groups(redis, group_of(stream), [stream])
    assert read.read_new(redis, group_of(stream), "one", [stream], 10, None) == []
    assert len(pending(redis, stream)) == 1


@pytest.mark.parametrize("loss", ["group", "key"])
def test_after_the_group_is_gone_nothing_that_waits_is_skipped(redis: Redis, stream: str, loss: str) -> None:
    added = add(redis, stream, [b"1", b"2"])
    read.acknowledge(redis, group_of(stream), read.read_new(redis, group_of(stream), "one", [stream], 1, None))
    if loss == "group":
        redis.xgroup_destroy(stream, group_of(stream))
    else:
        redis.delete(stream)
        added = add(redis, stream, [b"3"])
    with pytest.raises(ResponseError) as caught:
        read.read_new(redis, group_of(stream), "one", [stream], 10, None)
    assert read.is_missing_group(caught.value)
    read.create_groups(redis, group_of(stream), [stream])
    assert ids(read.read_new(redis, group_of(stream), "one", [stream], 10, None)) == added


def test_only_a_missing_group_is_a_missing_group() -> None:
    assert not read.is_missing_group(ResponseError("WRONGTYPE Operation against a key"))
    assert not read.is_missing_group(ValueError("NOGROUP"))


def test_acknowledging_twice_or_nothing_is_fine(redis: Redis, stream: str) -> None:
    add(redis, stream, [b"1"])
    entries = read.read_new(redis, group_of(stream), "one", [stream], 10, None)
    for _ in range(2):
        read.acknowledge(redis, group_of(stream), entries)
    read.acknowledge(redis, group_of(stream), [])
    assert pending(redis, stream) == {}
    assert consumers(redis, stream) == {"one"}


def test_a_group_of_the_old_name_gives_way_to_that_of_the_stream_key_which_starts_at_the_beginning(
    redis: Redis, settings: Settings
) -> None:
    added = add(redis, settings.stream_key, [b"1", b"2"])
    redis.xgroup_create(settings.stream_key, "progress", id="$")
    group = group_of(settings.stream_key)
    assert group == f"progress:{settings.stream_key}"
    read.create_groups(redis, group, [settings.stream_key])
    groups: Any = redis.xinfo_groups(settings.stream_key)
    assert [each["name"].decode() for each in groups] == [group]
    assert ids(read.read_new(redis, group, "one", [settings.stream_key], 10, None)) == added


def test_the_default_stream_key_has_the_group_of_the_contract() -> None:
    assert Keys("lesson-events", 8).group == "progress"
    assert Keys("lesson-events", 1).group == "progress"


def test_acknowledged_entries_become_pending_again_once_and_are_accounted_for(redis: Redis, stream: str) -> None:
    group = group_of(stream)
    added = add(redis, stream, [b"x"] * 4)
    entries = read.read_new(redis, group, "one", [stream], 4, None)
    read.acknowledge(redis, group, entries[:3])
    redis.xdel(stream, added[0])
    for _ in range(2):
        assert accounting.make_pending(redis, group, "again", stream, added) == {added[0]}
        assert pending(redis, stream) == {added[1]: ("again", 1), added[2]: ("again", 1), added[3]: ("one", 1)}
    assert accounting.balance(redis, group, [stream]) == {}
    _, taken = read.reclaim(redis, group, "two", stream, 86_400, "0-0", 10)
    assert [entry.id for entry in taken] == added[1:3], "anybody takes them over at once"
    read.acknowledge(redis, group, [*taken, entries[3]])
    assert accounting.balance(redis, group, [stream]) == {}
