"""What is early, or ahead of the clocks, is applied once its moment has come."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.doors import ANSWERED, ANY, Doors, consume
from tests.support.events import body, completed, enrolled, viewed
from tests.support.tables import execute, insert_as_lms, rows
from worker.consume.consumer import Consumer
from worker.consume.maintenance import maintain
from worker.contract.entry import Entry, Reason
from worker.progress import dead_letters
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.streams.connection import Redis

any_door = pytest.mark.parametrize("door", ANY)
LETTERS = "SELECT reason, count(*) FROM dead_letter GROUP BY 1 ORDER BY 1"


def entry(milliseconds: float, content: bytes) -> Entry:
    return Entry("lesson-events", f"{int(milliseconds)}-0", content)


def test_what_was_ahead_is_applied_in_bulk_once_its_moment_has_come(
    engine: Engine, environment: Mapping[str, str]
) -> None:
    """Local time labeled Z: refused when it came, some of it long past by now."""
    insert_as_lms(engine, 1)
    now = datetime.now(UTC)
    late = [
        entry(1_000 * (at.timestamp() - 7_200), body(viewed(1, 1, n, time=at))) for n, at in enumerate([now] * 3, 1)
    ]
    ahead = [entry(now.timestamp() * 1000, body(viewed(1, 1, 9, time=now + timedelta(hours=2))))]
    with engine.begin() as connection:
        letters = [
            dead_letters.DeadLetter(each, Reason.TIME_OUT_OF_RANGE, "more than 5 minutes ahead") for each in late
        ]
        dead_letters.store_dead_letters(connection, letters)
    assert ingest(engine, ahead).rejected == 1
    done = invoke(environment, "dead-letters", "redrive", "--reason", "time_out_of_range")
    assert done.stdout.splitlines()[:3] == ["applied: 3", "already recorded: 0", "still refused: 1"]
    assert rows(engine, LETTERS) == [("time_out_of_range", 1)]


def test_an_entry_of_a_redis_that_is_slow_is_judged_by_the_later_clock(
    engine: Engine, redis: Redis, consumer: Consumer
) -> None:
    insert_as_lms(engine, 1)
    now = datetime.now(UTC)
    slow = f"{int(now.timestamp() * 1000) - 600_000}"
    for number, time in enumerate((now, now, now + timedelta(minutes=6))):
        content = body(completed(1, 1, 1 + number, time=time))
        redis.xadd(consumer.keys.stream_key, {"event": content}, id=f"{slow}-{number + 1}")
    consume(consumer)
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(2,)]
    assert rows(engine, LETTERS) == [("time_out_of_range", 1)]


@any_door
@pytest.mark.parametrize("deferred", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_an_enrollment_of_a_user_that_the_lms_has_yet_to_commit_waits_with_its_events(
    doors: Doors, engine: Engine, settings: Settings, redis: Redis, door: str, deferred: str
) -> None:
    """Many of them at once, beside good ones, and one that never comes."""
    execute(
        engine,
        "CREATE TABLE users (id bigint PRIMARY KEY)",
        "INSERT INTO users VALUES (1)",
        f"ALTER TABLE user_course ADD FOREIGN KEY (user_id) REFERENCES users {deferred}",
    )
    early = range(2, 22)
    sent = [each for key in (1, *early) for each in (enrolled(key, user_id=key), completed(key))]
    send = getattr(doors, door)
    found = send([body(each) for each in sent])
    assert found[:4] == ["applied", "applied", "unknown_reference", "unknown_enrollment"]
    assert rows(engine, "SELECT id FROM user_course") == [(1,)]
    if door in ANSWERED:  # its sender was told, and keeps them
        execute(engine, "INSERT INTO users SELECT generate_series(2, 20)")
        again = send([body(each) for each in sent])
        assert again == [*["repeated"] * 2, *["applied"] * 38, "unknown_reference", "unknown_enrollment"]
        return
    assert rows(engine, LETTERS) == [("unknown_enrollment", 20), ("unknown_reference", 20)]
    maintain(settings, redis, engine)
    assert rows(engine, LETTERS) == [("unknown_enrollment", 20), ("unknown_reference", 20)]
    execute(engine, "INSERT INTO users SELECT generate_series(2, 20)")
    maintain(settings, redis, engine)
    assert rows(engine, "SELECT count(*) FROM user_course_progress WHERE status = 'completed'") == [(20,)]
    assert rows(engine, LETTERS) == [("unknown_enrollment", 1), ("unknown_reference", 1)]
    assert send([body(viewed(1, 1, 2))]) == ["applied"]


def test_a_lesson_that_the_lms_has_yet_to_commit_is_waited_for_too(
    engine: Engine, settings: Settings, redis: Redis, doors: Doors
) -> None:
    execute(
        engine,
        "CREATE TABLE lessons (id int PRIMARY KEY)",
        "INSERT INTO lessons VALUES (1)",
        "ALTER TABLE user_course ADD FOREIGN KEY (current_lesson) REFERENCES lessons",
    )
    insert_as_lms(engine, 1)
    assert doors.stream([body(viewed(1, 1, 2, seconds=9)), body(viewed(1, 1, 1))]) == ["unknown_reference", "applied"]
    execute(engine, "INSERT INTO lessons VALUES (2)")
    maintain(settings, redis, engine)
    assert rows(engine, LETTERS) == []
    assert rows(engine, "SELECT count(*) FROM user_course_progress") == [(2,)]
