"""Reading ahead: the next batch is read while this one is recorded; nothing of it is lost, whichever of both fails."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError
from sqlalchemy import Engine

from tests.support.events import enrolled, viewed
from tests.support.hosts import RecordingHost
from tests.support.model import assert_tables_equal_model
from tests.support.streams import add, pending
from tests.support.tables import rows
from worker.consume import consumer as consumer_module
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.consume.recovery import Recovery
from worker.contract.entry import Entry
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.progress.outcome import Outcome
from worker.settings import Settings
from worker.streams import read
from worker.streams.connection import Redis

NewConsumer = Callable[..., Consumer]
BATCH = 10
EVENTS: list[Event] = [enrolled(), *(viewed(1, 1, n, seconds=n) for n in range(1, 6 * BATCH))]


@pytest.fixture
def stream(settings: Settings) -> str:
    return settings.stream_key


@pytest.fixture
def ready(new_consumer: NewConsumer, redis: Redis, stream: str) -> Consumer:
    """A consumer that is about to read six batches."""
    consumer = new_consumer(batch_size=BATCH)
    Recovery(consumer).recover()
    add(redis, stream, EVENTS)
    return consumer


def always(_busy: frozenset[str], _is_new: bool) -> bool:
    return True


def test_a_backlog_is_read_in_one_call(ready: Consumer, redis: Redis, engine: Engine, stream: str) -> None:
    assert ready.read([stream], None, always).count == len(EVENTS)
    assert pending(redis, stream) == {}
    assert_tables_equal_model(engine, EVENTS)


def test_without_leave_to_read_on_one_batch_is_read(ready: Consumer, redis: Redis, stream: str) -> None:
    assert ready.read([stream], None).count == BATCH
    assert pending(redis, stream) == {}


def test_the_next_batch_is_read_before_this_one_is_recorded(
    ready: Consumer, redis: Redis, engine: Engine, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = []

    def recorded(engine: Engine, entries: Sequence[Entry], **options: Any) -> Outcome:
        ready._reading_thread.submit(int).result()  # whatever was to be read has been read
        at_once.append(len(pending(redis, stream)))
        return ingest(engine, entries, **options)

    monkeypatch.setattr(consumer_module, "ingest", recorded)
    ready.read([stream], None, always)
    assert at_once == [2 * BATCH] * 5 + [BATCH]
    assert_tables_equal_model(engine, EVENTS)


def test_when_recording_fails_what_was_read_ahead_is_pending_and_recovered(
    ready: Consumer, redis: Redis, engine: Engine, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> Outcome:
        raise RuntimeError("recording")

    with monkeypatch.context() as broken:
        broken.setattr(consumer_module, "ingest", failing)
        with pytest.raises(RuntimeError, match="recording"):
            ready.read([stream], None, always)
    assert len(pending(redis, stream)) == 2 * BATCH
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(0,)]
    Recovery(ready).recover()
    assert pending(redis, stream) == {}
    ready.read([stream], None, always)
    assert_tables_equal_model(engine, EVENTS)


def test_when_reading_ahead_fails_the_batch_before_is_recorded(
    ready: Consumer, redis: Redis, engine: Engine, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = read.read_new, []

    def failing(*arguments: Any) -> list[Entry]:
        calls.append(arguments)
        if len(calls) > 1:
            raise RedisConnectionError("cut")
        return original(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(read, "read_new", failing)
        with pytest.raises(RedisConnectionError, match="cut"):
            ready.read([stream], None, always)
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(BATCH - 1,)]
    assert pending(redis, stream) == {}
    Recovery(ready).recover()
    ready.read([stream], None, always)
    assert_tables_equal_model(engine, EVENTS)


def test_a_backlog_is_announced_once_however_many_drains_it_takes(
    ready: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    def announced() -> int:
        host = RecordingHost()
        Drain(ready, host, 0.4).run()
        return host.wake_ups - 1  # it always asks for a wake-up when it ends

    ready._knows_backlog = True
    assert announced() == 0
    assert_tables_equal_model(engine, EVENTS)
    add(redis, stream, EVENTS)
    assert announced() == 1


def test_a_drain_that_waits_for_single_events_calls_nobody(
    new_consumer: NewConsumer, redis: Redis, stream: str
) -> None:
    consumer = new_consumer()
    Recovery(consumer).recover()
    add(redis, stream, EVENTS[:5])
    host = RecordingHost()
    Drain(consumer, host, 0.5).run()
    assert host.wake_ups == 1  # when it ended
