"""Named events through failures: a crash after naming, refusals, locks, poison, and a stream that comes again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from tests.support.events import at, entries
from tests.support.named import (
    named_completed,
    named_enrolled,
    named_outlined,
    named_reopened,
    named_viewed,
    rows_by_name,
)
from tests.support.named_model import NamedModel, assert_equals_named_model
from tests.support.streams import add, deliver, pending
from tests.support.tables import contents, execute, rows
from tests.support.wait import wait_until
from worker.consume.consumer import Consumer
from worker.consume.recovery import Recovery
from worker.contract.entry import Reason
from worker.contract.named_event import NamedEvent
from worker.identity import allocate
from worker.progress import ingest as ingest_module
from worker.progress.ingest import ingest
from worker.progress.redrive import sweep_parked
from worker.progress.submit import Result, submit
from worker.settings import Settings
from worker.streams.connection import Redis

NAMES = "SELECT * FROM external_id ORDER BY kind, source, key, scope"
KEY = ("moodle", "ann", "c1", "l1")
HISTORY: list[NamedEvent] = [
    named_outlined("c1", [{"lesson": "l1", "aliases": ["quiz:1"]}, "l2"]),
    *(named_viewed(f"u{n}", f"l{n % 3}", "c1", seconds=n) for n in range(30)),
    *(named_completed(f"u{n}", "quiz:1", None, seconds=50 + n) for n in range(5)),
    named_reopened("u3", "l1", "c1", seconds=90),
    named_viewed("bob", "l1", "c1", enrols=False, seconds=4),
    named_enrolled("bob", "c1", timezone="Asia/Tokyo", seconds=-5),
    named_viewed("eve", "l1", "c1", enrols=False, seconds=4),
    named_viewed("eve", "nowhere", None, seconds=4),
]


def expected(events: list[NamedEvent]) -> NamedModel:
    model = NamedModel()
    model.deliver(events)
    model.sweep()
    return model


class Crash(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("function", ["record_batch", "apply"])
def test_who_dies_between_naming_and_recording_leaves_the_same_numbers(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    delivered = entries(HISTORY)

    def die(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(ingest_module, function, die)
        with pytest.raises(Crash):
            ingest(engine, delivered)
    named = rows(engine, NAMES)
    assert named
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(0,)]
    ingest(engine, delivered, seen_before=True)
    sweep_parked(engine)
    assert rows(engine, NAMES) == named
    assert_equals_named_model(engine, expected(HISTORY))


def test_who_dies_while_naming_leaves_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise Crash

    monkeypatch.setattr(allocate, "_name_enrollments", die)
    with pytest.raises(Crash):
        ingest(engine, entries([named_viewed()]))
    assert rows(engine, NAMES) == []


def test_only_the_named_event_that_postgresql_refuses_is_set_aside(engine: Engine) -> None:
    ingest(engine, entries([named_viewed("ann", f"l{n}") for n in range(20)]))
    execute(
        engine,
        "CREATE TABLE banned AS SELECT id FROM external_id WHERE key = 'l13'",
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.lesson_id = (SELECT id FROM banned) THEN RAISE 'not this lesson'; END IF; RETURN NEW; END $$""",
        "CREATE TRIGGER refuse BEFORE INSERT ON lesson_event FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    outcome = ingest(engine, entries([named_viewed("bob", f"l{n}", seconds=1) for n in range(20)]))
    assert (outcome.applied, len(outcome.dead_letters), outcome.deferred) == (19, 1, [])
    assert rows(engine, "SELECT reason FROM dead_letter") == [(Reason.DATA_ERROR,)]
    assert len([key for key in rows_by_name(engine) if key[1] == "bob"]) == 19


def test_an_enrollment_by_an_event_that_postgresql_refuses_harms_no_other(engine: Engine) -> None:
    """Such as where `user_course` refers to the LMS's own users: the events wait until these are there."""
    execute(
        engine,
        "CREATE TABLE lms_user (id bigint PRIMARY KEY)",
        "INSERT INTO lms_user VALUES (7)",
        "ALTER TABLE user_course ADD FOREIGN KEY (user_id) REFERENCES lms_user (id)",
        "INSERT INTO external_id (kind, source, key, id) VALUES ('user', 'moodle', 'ann', 7)",
    )
    outcome = ingest(engine, entries([named_viewed("bob"), named_completed("ann"), named_viewed("eve")]))
    assert (outcome.applied, outcome.deferred) == (1, [])
    assert {each.reason for each in outcome.dead_letters} == {Reason.UNKNOWN_REFERENCE}
    execute(engine, "INSERT INTO lms_user SELECT id FROM external_id WHERE kind = 'user' ON CONFLICT DO NOTHING")
    assert sweep_parked(engine).applied == 2
    assert {key[1] for key in rows_by_name(engine)} == {"ann", "bob", "eve"}


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_sender_that_waits_gets_a_verdict_on_each_and_the_rows_are_the_same(engine: Engine, size: int) -> None:
    events = [each for each in HISTORY if each not in HISTORY[-2:]]
    events.sort(key=lambda event: event.type != "enrollment.created")  # it is told, not parked, if it comes too early
    verdicts = []
    for start in range(0, len(events), size):
        verdicts += submit(engine, entries(events[start : start + size]))
    assert {each.result for each in verdicts} == {Result.APPLIED}
    refused = submit(engine, entries(HISTORY[-2:]))
    assert [each.reason for each in refused] == [Reason.UNKNOWN_ENROLLMENT, Reason.UNKNOWN_LESSON]
    assert {each.result for each in submit(engine, entries(events))} == {Result.REPEATED}
    assert_equals_named_model(engine, expected(events))


def test_while_everything_is_refused_named_events_are_held_back(engine: Engine) -> None:
    execute(
        engine,
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$""",
        "CREATE TRIGGER refuse BEFORE INSERT ON lesson_event FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    outcome = ingest(engine, entries(HISTORY[1:]))
    assert "not now" in outcome.everything_refused
    held = [entry for entry, _ in outcome.deferred]
    execute(engine, "DROP TRIGGER refuse ON lesson_event")
    ingest(engine, held, seen_before=True)
    ingest(engine, entries(HISTORY[:1]))
    sweep_parked(engine)
    assert_equals_named_model(engine, expected(HISTORY))


@contextmanager
def row_locked(engine: Engine, learner: str) -> Iterator[None]:
    """Another session holds the learner's enrollments."""
    with engine.connect() as other:
        other.execute(
            text("""
                SELECT FROM user_course JOIN external_id AS known ON (kind, known.id) = ('user', user_id)
                WHERE key = :learner FOR UPDATE OF user_course
            """),
            {"learner": learner},
        )
        yield
        other.rollback()


def retry_until_recorded(consumer: Consumer, redis: Redis, stream: str) -> None:
    def nothing_is_left() -> bool:
        consumer.retry()
        return not pending(redis, stream)

    wait_until(nothing_is_left, what="the retry")


def test_events_of_a_locked_enrollment_are_held_back_and_recorded_later(
    consumer: Consumer, redis: Redis, engine: Engine, settings: Settings
) -> None:
    ingest(engine, entries([named_viewed("ann"), named_viewed("bob")]))
    Recovery(consumer).recover()
    stream = settings.stream_key
    with row_locked(engine, "ann"):
        add(redis, stream, [named_completed("ann", seconds=1), named_completed("bob", seconds=1)])
        consumer.read([stream], None)
        add(redis, stream, [named_viewed("ann", seconds=9), named_completed("eve", seconds=1)])
        consumer.read([stream], None)
        assert len(pending(redis, stream)) == 2
        consumer.retry()
        assert rows_by_name(engine)[KEY] == ("in_progress", at(0), None)
        assert rows_by_name(engine)["moodle", "eve", "c1", "l1"][0] == "completed"
    retry_until_recorded(consumer, redis, stream)
    assert rows_by_name(engine)[KEY] == ("completed", at(9), at(1))


def test_events_whose_naming_is_held_up_are_held_back_and_recorded_later(
    consumer: Consumer, redis: Redis, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocate, "WAIT_SECONDS", 0.05)
    Recovery(consumer).recover()
    stream = settings.stream_key
    with engine.connect() as other:
        other.execute(text("INSERT INTO external_id (kind, source, key, id) VALUES ('user', 'moodle', 'ann', 9)"))
        add(redis, stream, [named_viewed("ann"), named_viewed("bob"), named_completed("ann", seconds=2)])
        consumer.read([stream], None)
        consumer.retry()
        assert {key[1] for key in rows_by_name(engine)} == {"bob"}
        other.rollback()
    retry_until_recorded(consumer, redis, stream)
    assert rows_by_name(engine)[KEY] == ("completed", at(2), at(2))


def test_a_poison_entry_in_named_form_is_set_aside_with_its_bytes(
    consumer: Consumer, redis: Redis, engine: Engine, settings: Settings
) -> None:
    Recovery(consumer).recover()
    stream, event = settings.stream_key, named_viewed("ann")
    ids = add(redis, stream, [event, named_viewed("bob")])
    deliver(redis, stream, consumer.name, ids[:1], times=6)
    redis.sadd(consumer.keys.quarantine(stream, ids[0]), "dead-1", "dead-2", "dead-3")
    with Recovery(consumer).before_reading(lambda: True):
        assert pending(redis, stream) == {}
    ((reason, body),) = rows(engine, "SELECT reason, body FROM dead_letter")
    assert (reason, bytes(body)) == (Reason.CRASHES_WORKER, event.to_json())


def test_a_quarantined_entry_in_named_form_is_recorded_alone(
    consumer: Consumer, redis: Redis, engine: Engine, settings: Settings
) -> None:
    Recovery(consumer).recover()
    stream = settings.stream_key
    ids = add(redis, stream, [named_viewed("ann", lesson="nowhere", course=None), named_completed("bob")])
    deliver(redis, stream, consumer.name, ids, times=6)
    with Recovery(consumer).before_reading(lambda: True):
        assert pending(redis, stream) == {}
    assert {key[1] for key in rows_by_name(engine)} == {"bob"}
    assert rows(engine, "SELECT reason FROM dead_letter") == [(Reason.UNKNOWN_LESSON,)]


@pytest.mark.parametrize("arrange", [list, lambda events: events[::-1]], ids=["in order", "backward"])
def test_a_stream_that_comes_again_changes_nothing(
    consumer: Consumer,
    redis: Redis,
    engine: Engine,
    settings: Settings,
    arrange: Callable[[list[NamedEvent]], list[NamedEvent]],
) -> None:
    """As another Redis has it after a failover, under other ids and in another order."""
    Recovery(consumer).recover()
    stream = settings.stream_key
    add(redis, stream, HISTORY)
    consumer.read([stream], None)
    sweep_parked(engine)
    before = contents(engine)
    before.pop("dead_letter")
    add(redis, stream, arrange(HISTORY))
    consumer.read([stream], None)
    sweep_parked(engine)
    after = contents(engine)
    after.pop("dead_letter")
    assert after == before
    assert rows(engine, "SELECT reason, count(*) FROM dead_letter GROUP BY 1 ORDER BY 1") == [
        ("unknown_enrollment", 2),
        ("unknown_lesson", 2),
    ]
