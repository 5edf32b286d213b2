"""An entry that kills or breaks whoever processes it is set aside, alone, and nothing else is."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from tests.support.events import body as body_of
from tests.support.events import enrolled, numbered, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.streams import add, deliver, group_of, pending
from tests.support.tables import insert_as_lms, rows
from worker.consume.consumer import Consumer
from worker.consume.recovery import Recovery
from worker.contract import batch
from worker.contract.entry import Entry
from worker.contract.event import Event
from worker.contract.parse import parse_entry
from worker.progress import ingest as ingest_module
from worker.settings import Settings
from worker.streams import read
from worker.streams.connection import Redis

POISON = b"poison"
REASONS = "SELECT reason, count(*) FROM dead_letter GROUP BY reason"


@pytest.fixture
def stream(redis: Redis, settings: Settings) -> str:
    read.create_groups(redis, group_of(settings.stream_key), [settings.stream_key])
    return settings.stream_key


@pytest.fixture
def broken_parser(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """The poison makes our own code raise what nobody expects; the entries it was tried on."""
    tried: list[Entry] = []

    def raising(entry: Entry, now_milliseconds: float, dropped: list[str]) -> Event:
        if entry.body == POISON:
            tried.append(entry)
            raise RuntimeError("nobody expects this")
        return numbered(parse_entry(entry, now_milliseconds, dropped))

    monkeypatch.setattr(batch, "parse_entry", raising)
    return tried


def test_an_unexpected_error_dead_letters_a_quarantined_entry_and_its_neighbors_are_applied(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str, broken_parser: list[Entry]
) -> None:
    events: list[Event] = [enrolled(), viewed()]
    added = add(redis, stream, [events[0], POISON, events[1]])
    deliver(redis, stream, consumer.name, added, times=5)
    Recovery(consumer).recover()
    assert len(broken_parser) == 1
    assert pending(redis, stream) == {}
    assert_tables_equal_model(engine, events, rejected={"crashes_worker": 1})
    ((detail, body),) = rows(engine, "SELECT detail, body FROM dead_letter")
    assert "nobody expects this" in detail
    assert bytes(body) == POISON


def test_up_to_five_deliveries_an_unexpected_error_is_raised_and_nothing_set_aside(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str, broken_parser: list[Entry]
) -> None:
    deliver(redis, stream, consumer.name, add(redis, stream, [POISON]), times=4)
    with pytest.raises(RuntimeError):
        Recovery(consumer).recover()
    assert rows(engine, REASONS) == []
    assert [times for _, times in pending(redis, stream).values()] == [5]
    Recovery(consumer).recover()
    assert rows(engine, REASONS) == [("crashes_worker", 1)]
    assert len(broken_parser) == 2


def test_many_deliveries_alone_make_no_poison_entry(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    events: list[Event] = [enrolled(), viewed(), viewed(1, 1, 2)]
    deliver(redis, stream, consumer.name, add(redis, stream, events), times=1_000)
    Recovery(consumer).recover()
    assert_tables_equal_model(engine, events)
    assert list(redis.scan_iter(f"{stream}:quarantine:*")) == []


def test_three_marks_left_behind_mean_poison_without_another_try(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str, broken_parser: list[Entry]
) -> None:
    events: list[Event] = [enrolled()]
    added = add(redis, stream, [*events, POISON])
    deliver(redis, stream, consumer.name, added, times=9)
    redis.sadd(consumer.keys.quarantine(stream, added[1]), "dead-1", "dead-2", "dead-3")
    Recovery(consumer).recover()
    assert broken_parser == []
    assert_tables_equal_model(engine, events, rejected={"crashes_worker": 1})
    assert list(redis.scan_iter(f"{stream}:quarantine:*")) == []


def test_a_few_marks_of_deaths_leave_a_good_entry_its_chance(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    events: list[Event] = [enrolled()]
    added = add(redis, stream, events)
    deliver(redis, stream, consumer.name, added, times=9)
    redis.sadd(consumer.keys.quarantine(stream, added[0]), "dead-1", "dead-2")
    Recovery(consumer).recover()
    assert_tables_equal_model(engine, events)


def test_a_database_error_in_quarantine_is_no_mark_and_no_verdict(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = [enrolled()]
    deliver(redis, stream, consumer.name, add(redis, stream, events), times=9)

    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    with monkeypatch.context() as patch:
        patch.setattr(ingest_module, "record_batch", away)
        for _ in range(5):
            with pytest.raises(OperationalError):
                Recovery(consumer).recover()
    assert list(redis.scan_iter(f"{stream}:quarantine:*")) == []
    assert rows(engine, REASONS) == []
    Recovery(consumer).recover()
    assert_tables_equal_model(engine, events)


def test_an_entry_taken_over_from_the_dead_is_quarantined_too(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str, broken_parser: list[Entry]
) -> None:
    events: list[Event] = [enrolled(), viewed()]
    Recovery(consumer).recover()
    deliver(redis, stream, "dead", add(redis, stream, [*events, POISON]), times=5)
    Recovery(consumer).reclaim([stream])
    assert len(broken_parser) == 1
    assert_tables_equal_model(engine, events, rejected={"crashes_worker": 1})
    assert pending(redis, stream) == {}


def test_a_quarantined_entry_that_cannot_be_recorded_now_holds_up_nothing(
    new_consumer: Callable[..., Consumer], redis: Redis, engine: Engine, stream: str
) -> None:
    consumer = new_consumer(lock_timeout_seconds=0.1)
    insert_as_lms(engine, 1, 2)
    events: list[Event] = [viewed(1), viewed(2)]
    added = add(redis, stream, events)
    deliver(redis, stream, consumer.name, added, times=9)
    with engine.connect() as other:
        other.execute(text("SELECT FROM user_course WHERE id = 1 FOR UPDATE"))
        recovery = Recovery(consumer)
        with recovery.before_reading(lambda: True):
            assert list(pending(redis, stream)) == [added[0]]
            assert consumer.read([stream], None).count == 0
        assert not recovery.is_needed
        other.rollback()
    Recovery(consumer).recover()
    assert pending(redis, stream) == {}
    assert_tables_equal_model(engine, events, lms_rows=dict.fromkeys([1, 2], (70, 30)))


def test_an_entry_applied_on_redelivery_leaves_its_letter_behind_no_longer(
    consumer: Consumer, redis: Redis, engine: Engine, stream: str
) -> None:
    """Set aside, but the acknowledgement was lost; by the time it comes again its enrollment is there."""
    event = viewed(1)
    (entry_id,) = add(redis, stream, [event])
    deliver(redis, stream, consumer.name, [entry_id], times=1)
    ingest_module.ingest(engine, [Entry(stream, entry_id, body_of(event))])
    assert rows(engine, REASONS) == [("unknown_enrollment", 1)]
    insert_as_lms(engine, 1)
    Recovery(consumer).recover()
    assert rows(engine, REASONS) == []
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]
