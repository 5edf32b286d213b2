"""A full Redis refuses publishers and goes on being read, acknowledged, trimmed and drained to the end."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_module
from sqlalchemy import Engine

from tests.support.events import enrolled, viewed
from tests.support.hosts import draining
from tests.support.model import assert_tables_equal_model
from tests.support.server_data import server_data
from tests.support.streams import add, deliver, full, group_of, length, pending
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.client import EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.leases import Leases
from worker.consume.recovery import Recovery
from worker.contract.event import Event
from worker.database.engine import open_engine
from worker.embedded.valkey import Valkey
from worker.errors import ServerUnavailableError
from worker.ops.readiness import check_readiness
from worker.settings import Settings
from worker.streams import accounting, connection, consumers, read, trim
from worker.streams.accounting import Account
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.quarantine_mark import quarantine


@pytest.fixture(scope="module")
def own_url() -> Iterator[str]:
    """A Valkey of this module's own, whose limits may be turned."""
    with server_data() as directory:
        valkey = Valkey(directory, None)
        valkey.start()
        yield valkey.url
        valkey.ask_to_stop()
        valkey.wait_stopped()


@pytest.fixture
def full_settings(settings: Settings, own_url: str) -> Settings:
    return settings.model_copy(update={"redis_url": own_url})


@pytest.fixture
def own(full_settings: Settings) -> Iterator[Redis]:
    """A client of the module's own Valkey."""
    client = connection.connect(full_settings)
    yield client
    client.flushall()
    client.close()


@pytest.fixture
def full_consumer(full_settings: Settings) -> Iterator[Consumer]:
    consumer = Consumer(full_settings, connection.connect(full_settings), open_engine(full_settings))
    yield consumer
    consumer.leave()


def test_the_publisher_gets_the_error(own: Redis, full_settings: Settings) -> None:
    publisher = EventPublisher(settings=full_settings)
    publisher.publish(viewed())
    with full(own):
        with pytest.raises(redis_module.OutOfMemoryError):
            publisher.publish(viewed())
        with pytest.raises(redis_module.OutOfMemoryError):
            publisher.publish_many([viewed(), viewed()])
    publisher._redis.close()


def test_a_full_redis_is_drained_and_trimmed_to_the_end(
    own: Redis, full_consumer: Consumer, engine: Engine, full_settings: Settings
) -> None:
    events: list[Event] = [enrolled(1), *(viewed(1, 1, n, seconds=n) for n in range(1, 200))]
    read.create_groups(own, full_consumer.keys.group, full_consumer.keys.streams)
    publisher = EventPublisher(settings=full_settings)
    publisher.publish_many(events)
    publisher._redis.close()
    with full(own), draining(full_consumer):
        wait_until(lambda: not any(length(own, stream) for stream in full_consumer.keys.streams), what="empty streams")
    assert_tables_equal_model(engine, events)


def test_reading_acknowledging_and_removing_consumers_go_on(own: Redis, full_settings: Settings) -> None:
    stream = full_settings.stream_key
    read.create_groups(own, group_of(stream), [stream])
    add(own, stream, [b"1", b"2"])
    with full(own):
        read.acknowledge(own, group_of(stream), read.read_new(own, group_of(stream), "one", [stream], 1, None))
        assert len(pending(own, stream)) == 0
        assert trim.trim(own, [stream], 0) == 1
        assert consumers.remove_consumer(own, group_of(stream), [stream], "one") == {"one"}
        read.create_groups(own, group_of(stream), [stream])
        with pytest.raises(ServerUnavailableError, match="no consumer group yet"):
            read.create_groups(own, group_of(stream), [stream, "another"])


def test_a_nearly_full_redis_keeps_no_acknowledged_entries_for_a_replay(own: Redis, full_settings: Settings) -> None:
    stream = full_settings.stream_key
    read.create_groups(own, group_of(stream), [stream])
    add(own, stream, [b"1"])
    read.acknowledge(own, group_of(stream), read.read_new(own, group_of(stream), "one", [stream], 1, None))
    assert trim.trim(own, [stream], 300) == 0
    used: Any = own.info("memory")
    own.config_set("maxmemory", int(used["used_memory"] * 1.1))
    assert trim.trim(own, [stream], 300) == 1
    own.config_set("maxmemory", 0)


def test_a_consumer_reads_though_a_full_redis_refuses_to_note_whose_the_streams_are(
    own: Redis, full_consumer: Consumer, engine: Engine
) -> None:
    read.create_groups(own, full_consumer.keys.group, full_consumer.keys.streams)
    event = enrolled(1)
    add(own, full_consumer.keys.stream_key, [event])
    with full(own):
        Recovery(full_consumer).recover()
        assert full_consumer.read(full_consumer.keys.streams, None).count == 1
    assert not own.exists(full_consumer.keys.system(full_consumer.keys.stream_key))
    Recovery(full_consumer).recover()
    assert own.exists(full_consumer.keys.system(full_consumer.keys.stream_key))
    assert_tables_equal_model(engine, [event])


def test_what_is_acknowledged_is_counted_and_what_vanished_is_told(own: Redis, full_settings: Settings) -> None:
    stream = full_settings.stream_key
    group = group_of(stream)
    read.create_groups(own, group, [stream])
    added = add(own, stream, [b"1", b"2", b"3"])
    with full(own):
        read.acknowledge(own, group, read.read_new(own, group, "one", [stream], 1, None))
        assert accounting.balance(own, group, [stream]) == {}
        own.xdel(stream, added[1])
        read.acknowledge(own, group, read.read_new(own, group, "one", [stream], 1, None))
        assert accounting.balance(own, group, [stream]) == {stream: 1}
        assert accounting.read_accounts(own, [stream])[stream] == Account(acknowledged=2, vanished=1)


def test_a_stray_that_has_no_group_yet_waits_and_holds_nobody_up(
    own: Redis, full_consumer: Consumer, engine: Engine, full_settings: Settings
) -> None:
    events: list[Event] = [enrolled(1), viewed(1)]
    Recovery(full_consumer).recover()
    add(own, full_settings.stream_key, events[:1])
    add(own, f"{full_settings.stream_key}:8", events[1:])
    with full(own), draining(full_consumer):
        wait_until(lambda: rows(engine, "SELECT id FROM user_course") == [(1,)], what="the enrollment")
    Recovery(full_consumer).recover()
    full_consumer.read(full_consumer.keys.streams, None)
    assert_tables_equal_model(engine, events)


def test_leases_that_cannot_be_recorded_hold_nobody_up(own: Redis, full_settings: Settings) -> None:
    keys = Keys(full_settings.stream_key, 3)
    one = Leases(own, keys, "one", 60)
    with full(own):
        one.acquire_free()
        assert one.complete
        one.renew()
        one.want()
        assert one.complete
        one.release()
    assert own.keys("*lease*") == []


def test_quarantine_without_room_for_its_mark_finds_no_poison(own: Redis) -> None:
    with full(own), quarantine(own, "test-mark", "one") as is_poison:
        assert not is_poison
    assert not own.exists("test-mark")


def test_a_quarantined_entry_is_processed_without_a_mark(
    own: Redis, full_consumer: Consumer, engine: Engine, full_settings: Settings
) -> None:
    events: list[Event] = [enrolled(1), viewed(1)]
    read.create_groups(own, full_consumer.keys.group, full_consumer.keys.streams)
    added = add(own, full_settings.stream_key, events)
    deliver(own, full_settings.stream_key, full_consumer.name, added, times=9)
    with full(own):
        Recovery(full_consumer).recover()
    assert_tables_equal_model(engine, events)
    assert pending(own, full_settings.stream_key) == {}


def test_it_is_not_ready_for_events_until_there_is_room(full_settings: Settings, own: Redis) -> None:
    assert check_readiness(full_settings) == {"PostgreSQL": None, "Redis": None}
    with full(own):
        said = check_readiness(full_settings)["Redis"]
        assert said is not None
        assert said.startswith("Redis is full")
    assert check_readiness(full_settings)["Redis"] is None
