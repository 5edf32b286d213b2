"""A drain applies everything that waits, whatever goes wrong meanwhile; it ends when it should and holds nothing."""

import socket
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tests.support.events import completed, enrolled, viewed
from tests.support.hosts import RecordingHost, draining
from tests.support.model import assert_tables_equal_model
from tests.support.streams import add, deliver, group_of, length, pending
from tests.support.tables import execute, rows
from tests.support.wait import wait_until
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.contract.event import Event
from worker.database import schema
from worker.progress import ingest as ingest_module
from worker.settings import Settings
from worker.streams import read
from worker.streams.connection import Redis

NewConsumer = Callable[..., Consumer]
RECORDED = "SELECT count(*) FROM lesson_event"


@pytest.fixture
def stream(settings: Settings) -> str:
    return settings.stream_key


def leased(redis: Redis, stream: str) -> list[bytes]:
    return list(redis.scan_iter(f"{stream}:lease:*"))


def recorded(engine: Engine, count: int) -> Callable[[], bool]:
    return lambda: rows(engine, RECORDED) == [(count,)]


def test_what_waits_is_applied_and_trimmed(consumer: Consumer, redis: Redis, engine: Engine, stream: str) -> None:
    events: list[Event] = [enrolled(), *(viewed(1, 1, n) for n in range(1, 500))]
    add(redis, stream, events)
    with draining(consumer) as host:
        wait_until(recorded(engine, 499), what="the rows")
        wait_until(lambda: length(redis, stream) == 0, what="the trim")
        assert host.beats > 0
    assert_tables_equal_model(engine, events)


def test_an_event_published_while_idle_is_applied_at_once(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    with draining(consumer):
        wait_until(lambda: len(leased(redis, stream)) == 9, what="the leases")
        add(redis, stream, [enrolled()])
        wait_until(lambda: rows(engine, "SELECT id FROM user_course") == [(1,)], what="the enrollment")
        for number in range(1, 20):
            add(redis, f"{stream}:{number % 8}", [viewed(1, 1, number)])
            wait_until(recorded(engine, number), seconds=2, what="the row")


def test_it_ends_with_its_time_asks_for_a_wake_up_and_holds_nothing(
    consumer: Consumer, redis: Redis, stream: str
) -> None:
    host = RecordingHost()
    started = time.monotonic()
    Drain(consumer, host, 0.3).run()
    assert 0.3 <= time.monotonic() - started < 1.5
    assert host.wake_ups == 1
    assert leased(redis, stream) == []
    assert consumer.leases.held == ()


def test_told_to_stop_it_returns_within_a_second_with_nothing_pending(
    consumer: Consumer, redis: Redis, stream: str
) -> None:
    add(redis, stream, [enrolled(), *(viewed(1, 1, n) for n in range(1, 3_000))])
    with draining(consumer) as host:
        wait_until(lambda: host.beats > 1, what="work")
        host.stopping = True
        told = time.monotonic()
        wait_until(lambda: leased(redis, stream) == [], seconds=1, what="the end")
        assert time.monotonic() - told < 1
    assert pending(redis, stream) == {}


def test_entries_left_pending_by_an_interruption_come_first(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    events: list[Event] = [enrolled(), viewed(), completed(seconds=1)]
    read.create_groups(redis, group_of(stream), [stream])
    deliver(redis, stream, consumer.name, add(redis, stream, events), times=1)
    with draining(consumer):
        wait_until(recorded(engine, 2), what="the rows")
    assert pending(redis, stream) == {}
    assert_tables_equal_model(engine, events)


def test_what_a_dead_consumer_left_is_taken_over(consumer: Consumer, redis: Redis, engine: Engine, stream: str) -> None:
    events: list[Event] = [enrolled(), viewed()]
    read.create_groups(redis, group_of(stream), [f"{stream}:1"])
    deliver(redis, f"{stream}:1", "dead", add(redis, f"{stream}:1", events), times=1)
    with draining(consumer):
        wait_until(recorded(engine, 1), what="the rows")
        wait_until(lambda: pending(redis, f"{stream}:1") == {}, what="the acknowledgement")
    assert_tables_equal_model(engine, events)


@pytest.mark.parametrize("loss", ["group", "key"])
def test_a_group_lost_in_mid_drain_costs_nothing(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str, loss: str
) -> None:
    events: list[Event] = [enrolled(), viewed(1, 1, 1)]
    late: list[Event] = [viewed(1, 1, 2)]
    add(redis, stream, events)
    with draining(consumer):
        wait_until(recorded(engine, 1), what="the first rows")
        redis.xgroup_destroy(stream, group_of(stream)) if loss == "group" else redis.delete(stream)
        add(redis, stream, late)
        wait_until(recorded(engine, 2), what="the row after the loss")
    assert_tables_equal_model(engine, events + late)


def test_while_postgresql_is_away_nothing_is_read_and_no_delivery_counted(
    new_consumer: NewConsumer, redis: Redis, engine: Engine, stream: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    consumer = new_consumer(database_url=f"postgresql+psycopg://nobody@127.0.0.1:{port}/none")
    read.create_groups(redis, group_of(stream), [stream])
    own = add(redis, stream, [enrolled()])
    deliver(redis, stream, consumer.name, own, times=2)
    add(redis, stream, [viewed()])
    host = RecordingHost()
    started = time.monotonic()
    Drain(consumer, host, 0.8).run()
    assert time.monotonic() - started < 2
    assert pending(redis, stream) == {own[0]: (consumer.name, 2)}
    assert host.wake_ups == 1
    assert host.beats > 2
    assert leased(redis, stream) == []
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_database_without_our_tables_stops_the_reading_until_it_has_them(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    execute(engine, f"ALTER TABLE {schema.VERSION_TABLE} RENAME TO hidden")
    events: list[Event] = [enrolled(), viewed()]
    add(redis, stream, events)
    with draining(consumer) as host:
        wait_until(lambda: host.beats >= 5, what="back-off")
        assert length(redis, stream) == 2
        assert redis.exists(f"{stream}:lease:{stream}") == 0
        execute(engine, f"ALTER TABLE hidden RENAME TO {schema.VERSION_TABLE}")
        wait_until(recorded(engine, 1), what="the rows")
    assert_tables_equal_model(engine, events)


def test_a_connection_that_is_cut_is_made_again_and_nothing_is_lost(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    cut = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'progress-worker' AND pid <> pg_backend_pid()
    """
    events: list[Event] = [enrolled()]
    add(redis, stream, events)
    with draining(consumer):
        for number in range(1, 6):
            more: list[Event] = [viewed(1, 1, number)]
            add(redis, stream, more)
            events += more
            wait_until(recorded(engine, number), what="the row")
            assert rows(engine, cut)
    assert_tables_equal_model(engine, events)
    assert pending(redis, stream) == {}


def test_a_redis_connection_that_is_cut_is_made_again_and_nothing_is_lost(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    events: list[Event] = [enrolled()]
    add(redis, stream, events)
    with draining(consumer):
        for number in range(1, 6):
            more: list[Event] = [viewed(1, 1, number)]
            add(redis, stream, more)
            events += more
            wait_until(recorded(engine, number), what="the row")
            for client in redis.client_list():
                if client["cmd"] == "xreadgroup":
                    redis.client_kill_filter(_id=client["id"])
    assert_tables_equal_model(engine, events)
    wait_until(lambda: pending(redis, stream) == {} or _stays(consumer), what="the acknowledgement")


def _stays(consumer: Consumer) -> bool:
    """An acknowledgement lost with the connection comes with the next drain."""
    Drain(consumer, RecordingHost(), 0.2).run()
    return False


def test_an_entry_that_breaks_our_code_holds_its_stream_up_only_for_a_few_drains(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_batch = ingest_module.record_batch

    def raising(connection: object, entries: object, *given: object, **options: object) -> object:
        if any(entry.body == b"poison" for entry in entries):  # type: ignore[attr-defined]
            raise RuntimeError("nobody expects this")
        return record_batch(connection, entries, *given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest_module, "record_batch", raising)
    events: list[Event] = [enrolled(), viewed()]
    add(redis, stream, [events[0], b"poison", events[1]])
    failures = 0
    for _ in range(8):
        try:
            Drain(consumer, RecordingHost(), 0.1).run()
        except RuntimeError:
            failures += 1
        assert leased(redis, stream) == []
    assert failures <= 5
    assert_tables_equal_model(engine, events, rejected={"crashes_worker": 1})
