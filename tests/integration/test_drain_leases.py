"""Several drains: they share the partitions under load, merge when idle, and do not wait for a frozen one."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.events import enrolled, viewed
from tests.support.hosts import RecordingHost, draining
from tests.support.model import assert_tables_equal_model
from tests.support.streams import add, consumers, group_of, pending
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.client import EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.consume.maintenance import maintain
from worker.consume.recovery import Recovery
from worker.contract.event import Event
from worker.settings import Settings
from worker.streams import backlog, read
from worker.streams.connection import Redis

NewConsumer = Callable[..., Consumer]


@pytest.fixture
def keys(settings: Settings, redis: Redis, consumer: Consumer) -> tuple[str, ...]:
    """The streams, each with its group."""
    assert settings.stream_partitions == 8
    read.create_groups(redis, consumer.keys.group, consumer.keys.streams)
    return consumer.keys.streams


def holders(redis: Redis, consumer: Consumer) -> list[str]:
    """Who holds each stream's lease; an empty name where nobody does."""
    found: Any = redis.mget([consumer.keys.lease(stream) for stream in consumer.keys.streams])
    return [(holder or b"").decode() for holder in found]


def test_two_drains_under_load_share_the_partitions(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, settings: Settings, keys: tuple[str, ...]
) -> None:
    small = {"batch_size": 40}
    one, two = new_consumer(**small), new_consumer(**small)
    events: list[Event] = [enrolled(n) for n in range(1, 17)]
    events += [viewed(1 + n % 16, 1, 1 + n % 50, seconds=n) for n in range(8_000)]
    publisher = EventPublisher(settings=settings)
    publisher.publish_many(events)
    publisher._redis.close()
    host = RecordingHost()
    with draining(one):
        wait_until(lambda: holders(redis, one) == [one.name] * 9, what="the first drain's leases")

        def shared() -> bool:
            Drain(two, host, 0.5).run()
            return any(two.name in consumers(redis, stream) for stream in keys)

        wait_until(shared, what="a share for the second drain")
        wait_until(lambda: rows(engine, "SELECT count(*) FROM lesson_event") == [(8_000,)], 20, "the rows")
    assert_tables_equal_model(engine, events)
    assert [pending(redis, stream) for stream in keys] == [{}] * 9


@pytest.mark.usefixtures("keys")
def test_idle_drains_merge_into_a_single_holder(new_consumer: NewConsumer, redis: Redis) -> None:
    one, two = new_consumer(), new_consumer()
    one.leases.acquire_free()
    one.leases.release(one.leases.held[:4])
    with draining(two):
        wait_until(lambda: set(holders(redis, one)) == {one.name, two.name}, what="two holders")
        with draining(one):
            wait_until(lambda: len(set(holders(redis, one))) == 1, what="the merge")
            assert holders(redis, one)[0] in {one.name, two.name}


@pytest.mark.usefixtures("keys")
def test_a_drain_that_finds_nothing_free_ends_at_once_and_says_it_wants_work(
    new_consumer: NewConsumer, redis: Redis
) -> None:
    one, two = new_consumer(), new_consumer()
    one.leases.acquire_free()
    host = RecordingHost()
    Drain(two, host, 30).run()
    assert host.wake_ups == 0
    assert redis.get(one.keys.wanted) == two.name.encode()
    assert one.leases.answer_want()


@pytest.mark.usefixtures("keys")
def test_leases_of_a_dead_drain_are_taken_over(new_consumer: NewConsumer, redis: Redis, engine: Engine) -> None:
    dead, living = new_consumer(lease_seconds=1), new_consumer()
    dead.leases.acquire_free()
    add(redis, dead.keys.streams[3], [enrolled()])

    def applied() -> bool:
        Drain(living, RecordingHost(), 0.2).run()
        return rows(engine, "SELECT id FROM user_course") == [(1,)]

    wait_until(applied, seconds=5, what="the take-over")


def test_a_stream_that_its_frozen_holder_does_not_read_is_read_by_another(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, keys: tuple[str, ...]
) -> None:
    consumer = new_consumer(stalled_seconds=0.2, lease_seconds=3_600)
    redis.set(consumer.keys.lease(keys[2]), "frozen", ex=3_600)
    events: list[Event] = [enrolled(), viewed()]
    add(redis, keys[2], events)
    with draining(consumer):
        wait_until(lambda: rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)], what="the rows")
        assert redis.get(consumer.keys.lease(keys[2])) == b"frozen"
    assert_tables_equal_model(engine, events)


def test_a_stream_that_its_holder_reads_is_left_to_it(
    new_consumer: NewConsumer, redis: Redis, keys: tuple[str, ...]
) -> None:
    consumer = new_consumer(stalled_seconds=3_600, lease_seconds=3_600)
    redis.set(consumer.keys.lease(keys[2]), "busy", ex=3_600)
    add(redis, keys[2], [enrolled()])
    Drain(consumer, RecordingHost(), 0.5).run()
    assert pending(redis, keys[2]) == {}
    assert redis.xlen(keys[2]) == 1
    assert backlog.measure(redis, group_of(keys[2]), [keys[2]])[0].lag == 1


def test_even_with_every_stream_frozen_what_waits_is_applied(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, keys: tuple[str, ...]
) -> None:
    """Each drain finds nothing free and ends; the next one remembers what the last one saw."""
    consumer = new_consumer(stalled_seconds=0.2, lease_seconds=3_600)
    for stream in keys:
        redis.set(consumer.keys.lease(stream), "frozen", ex=3_600)
    add(redis, keys[5], [enrolled()])

    def applied() -> bool:
        Drain(consumer, RecordingHost(), 0.3).run()
        return rows(engine, "SELECT id FROM user_course") == [(1,)]

    wait_until(applied, seconds=5, what="the row")


def test_maintenance_trims_removes_the_idle_and_sweeps(
    new_consumer: NewConsumer, settings: Settings, redis: Redis, engine: Engine, keys: tuple[str, ...]
) -> None:
    idle = new_consumer()
    Recovery(idle).recover()
    add(redis, keys[1], [enrolled(), viewed(2)])
    idle.read([keys[1]], None)
    impatient = settings.model_copy(update={"consumer_idle_seconds": 0.05})
    wait_until(lambda: redis.xinfo_consumers(keys[1], group_of(keys[1]))[0]["idle"] >= 50, what="idleness")
    done = maintain(impatient, redis, engine)
    assert (done.parked_applied, done.entries_trimmed) == (0, 2)
    assert done.consumers_removed >= 1
    assert consumers(redis, keys[1]) == set()
    again = maintain(impatient, redis, engine)
    assert (again.parked_applied, again.consumers_removed, again.entries_trimmed) == (0, 0, 0)
