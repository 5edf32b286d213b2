"""One member of the group: reads, records, acknowledges; after an interruption its own pending entries come first."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from redis import ResponseError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from tests.support.events import completed, corrected, enrolled, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.streams import add, consumers, deliver, group_of, pending
from tests.support.tables import execute, insert_as_lms, snapshot
from tests.support.wait import wait_until
from worker.consume import consumer as consumer_module
from worker.consume.consumer import Consumer
from worker.consume.recovery import Recovery
from worker.contract.entry import Entry
from worker.contract.event import Event
from worker.database import schema
from worker.errors import SchemaError
from worker.progress.ingest import ingest
from worker.progress.outcome import Outcome
from worker.settings import Settings
from worker.streams import read
from worker.streams.connection import Redis

NewConsumer = Callable[..., Consumer]


@pytest.fixture
def stream(settings: Settings) -> str:
    return settings.stream_key


def test_what_is_read_is_recorded_and_acknowledged(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    events: list[Event] = [enrolled(), viewed(), completed(seconds=1), viewed(2)]
    add(redis, stream, events)
    Recovery(consumer).recover()
    assert consumer.read(consumer.keys.streams, None).count == 4
    assert pending(redis, stream) == {}
    assert_tables_equal_model(engine, events)


def test_a_read_of_nothing_records_nothing(consumer: Consumer, engine: Engine) -> None:
    Recovery(consumer).recover()
    before = snapshot(engine)
    assert consumer.read(consumer.keys.streams, None).count == 0
    assert snapshot(engine) == before


def test_the_entries_of_all_streams_come(consumer: Consumer, redis: Redis, engine: Engine) -> None:
    events: list[Event] = [enrolled(n) for n in range(1, 10)]
    Recovery(consumer).recover()
    for event, each in zip(events, consumer.keys.streams, strict=True):
        add(redis, each, [event])
    consumer.read(consumer.keys.streams, None)
    assert_tables_equal_model(engine, events)


@pytest.mark.parametrize("batch_size", [1, 20, 100])
def test_a_batch_is_never_larger_than_set(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = new_consumer(batch_size=batch_size)
    given, recorded = [], []
    original = read.read_new

    def read_new(*arguments: Any) -> Sequence[Entry]:
        entries = original(*arguments)
        given.append(len(entries))
        return entries

    def counted(engine: Engine, entries: Sequence[Entry], **options: Any) -> Outcome:
        recorded.append(len(entries))
        return ingest(engine, entries, **options)

    monkeypatch.setattr(read, "read_new", read_new)
    monkeypatch.setattr(consumer_module, "ingest", counted)
    events: list[Event] = [enrolled(), *(viewed(1, 1, n) for n in range(1, 20))]
    Recovery(consumer).recover()
    for each in consumer.keys.streams:
        add(redis, each, events)
    while consumer.read(consumer.keys.streams, None).count:
        pass
    assert sum(given) == sum(recorded) == 9 * 20
    assert max(given) <= max(2 * batch_size, 9)
    assert max(recorded) <= batch_size
    assert_tables_equal_model(engine, events)


def test_parked_events_are_applied_by_the_consumer_that_made_the_enrollment(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    early: list[Event] = [viewed(1, 1, n, seconds=n) for n in range(1, 3_000)]
    Recovery(consumer).recover()
    add(redis, stream, early)
    while consumer.read([stream], None).count:
        pass
    assert_tables_equal_model(engine, early)
    came: list[Event] = [enrolled(1), corrected(1, 9, 9)]
    add(redis, stream, came)
    consumer.read([stream], None)
    assert_tables_equal_model(engine, [*came, *early])


def test_after_an_interruption_the_own_pending_entries_come_first(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    """Recorded and committed, but the acknowledgement never reached Redis: recording again changes nothing."""
    consumer = new_consumer()
    events: list[Event] = [enrolled(), viewed(), completed(seconds=1)]
    Recovery(consumer).recover()
    add(redis, stream, events)
    consumer.read([stream], None)
    redis.xgroup_setid(stream, group_of(stream), "0")
    read.read_new(redis, group_of(stream), consumer.name, [stream], 10, None)
    before = snapshot(engine)
    recovery = Recovery(consumer)
    with recovery.before_reading(lambda: True):
        assert pending(redis, stream) == {}
    assert snapshot(engine) == before
    assert not recovery.is_needed


def test_recovering_goes_through_more_than_a_batch(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    consumer = new_consumer(batch_size=10)
    events: list[Event] = [enrolled(), *(viewed(1, 1, n) for n in range(1, 56))]
    read.create_groups(redis, group_of(stream), [stream])
    added = add(redis, stream, events)
    deliver(redis, stream, consumer.name, added, times=1)
    Recovery(consumer).recover()
    assert pending(redis, stream) == {}
    assert_tables_equal_model(engine, events)


def test_what_a_dead_consumer_left_is_taken_over_page_by_page(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    consumer = new_consumer(batch_size=10)
    events: list[Event] = [enrolled(), *(viewed(1, 1, n) for n in range(1, 56))]
    Recovery(consumer).recover()
    deliver(redis, stream, "dead", add(redis, stream, events), times=1)

    def reclaimed() -> bool:
        Recovery(consumer).reclaim([stream])
        return pending(redis, stream) == {}

    wait_until(reclaimed, what="the end of reclaiming")
    assert_tables_equal_model(engine, events)


def test_what_another_is_still_working_on_is_left_to_it(consumer: Consumer, redis: Redis, stream: str) -> None:
    Recovery(consumer).recover()
    add(redis, stream, [enrolled()])
    read.read_new(redis, group_of(stream), "busy", [stream], 10, None)
    Recovery(consumer).reclaim([stream])
    assert [name for name, _ in pending(redis, stream).values()] == ["busy"]


@pytest.mark.parametrize("loss", ["group", "key"])
def test_a_lost_group_interrupts_and_recovery_skips_nothing(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str, loss: str
) -> None:
    events: list[Event] = [enrolled(), viewed()]
    Recovery(consumer).recover()
    if loss == "group":
        add(redis, stream, events)
        redis.xgroup_destroy(stream, group_of(stream))
    else:
        redis.delete(stream)
        add(redis, stream, events)
    with pytest.raises(ResponseError, match="NOGROUP"):
        consumer.read([stream], None)
    Recovery(consumer).recover()
    consumer.read([stream], None)
    assert_tables_equal_model(engine, events)


def test_an_error_leaves_what_was_read_pending_and_nothing_recorded(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    events: list[Event] = [enrolled(), viewed()]
    Recovery(consumer).recover()
    added = add(redis, stream, events)
    execute(engine, "ALTER TABLE lesson_event RENAME TO gone")
    with pytest.raises(SQLAlchemyError):
        consumer.read([stream], None)
    assert list(pending(redis, stream)) == added
    execute(engine, "ALTER TABLE gone RENAME TO lesson_event")
    assert_tables_equal_model(engine, [])
    Recovery(consumer).recover()
    assert_tables_equal_model(engine, events)


def test_without_our_tables_nothing_is_read_again(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    Recovery(consumer).recover()
    deliver(redis, stream, consumer.name, add(redis, stream, [enrolled()]), times=3)
    execute(engine, f"DROP TABLE {schema.VERSION_TABLE}")
    for _ in range(3):
        with pytest.raises(SchemaError):
            Recovery(consumer).recover()
    assert [times for _, times in pending(redis, stream).values()] == [3]


def test_leaving_takes_the_consumer_out_of_the_group(new_consumer: NewConsumer, redis: Redis, stream: str) -> None:
    first, second = new_consumer(), new_consumer()
    assert first.name != second.name
    for each in (first, second):
        Recovery(each).recover()
        each.read([stream], None)
    assert consumers(redis, stream) == {first.name, second.name}
    first.leave()
    assert consumers(redis, stream) == {second.name}


def test_a_consumer_with_something_pending_leaves_it_to_the_others(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    first, second = new_consumer(), new_consumer(reclaim_idle_seconds=0.05)
    insert_as_lms(engine, 1)
    Recovery(first).recover()
    Recovery(second).recover()
    event = viewed(1)
    add(redis, stream, [event])
    read.read_new(redis, group_of(stream), first.name, [stream], 10, None)
    first.leave()
    assert len(pending(redis, stream)) == 1

    def reclaimed() -> bool:
        Recovery(second).reclaim([stream])
        return pending(redis, stream) == {}

    wait_until(reclaimed, what="the reclaim")
    assert_tables_equal_model(engine, [event], lms_rows={1: (70, 30)})
