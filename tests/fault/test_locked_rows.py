"""An LMS keeps rows locked: everybody else's events are applied meanwhile, theirs right after, nobody is a victim."""

import random
import threading
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import text

from tests.support.events import body, enrolled, viewed
from tests.support.system import System
from tests.support.tables import execute, rows
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent

COURSES = 4
LEARNERS = 40
LOCKED: dict[str, tuple[str, Callable[[int], bool]]] = {
    "a course": ("SELECT FROM user_course WHERE course_id = 1 FOR UPDATE", lambda key: course_of(key) == 1),
    "an enrollment": ("SELECT FROM user_course WHERE id = 9 FOR UPDATE", lambda key: key == 9),
    "an enrollment that is being deleted": ("DELETE FROM user_course WHERE id = 9", lambda key: key == 9),
    "progress rows": (
        "SELECT FROM user_course_progress WHERE user_course_id = 9 FOR UPDATE",
        lambda key: key == 9,
    ),
}


def course_of(user_course_id: int) -> int:
    return user_course_id % COURSES + 1


def learners(system: System) -> list[CloudEvent]:
    """Learners of four courses, each with a view of lesson 1, all recorded."""
    events: list[CloudEvent] = [enrolled(key, course_id=course_of(key)) for key in range(1, LEARNERS + 1)]
    events += [viewed(key, 1, 1) for key in range(1, LEARNERS + 1)]
    system.publish(events)
    system.assert_exact(events)
    return events


def recorded(system: System, events: Sequence[CloudEvent]) -> Callable[[], bool]:
    """Whether all these events are in the ledger."""
    ids = [event.event_id for event in events]
    sql = "SELECT count(*) FROM lesson_event WHERE event_id = ANY (CAST(:ids AS uuid[]))"
    return lambda: rows(system.engine, sql, ids=ids) == [(len(events),)]


@pytest.mark.parametrize(("statement", "is_locked"), LOCKED.values(), ids=LOCKED)
@pytest.mark.second_tier
def test_others_are_applied_at_once_and_the_locked_ones_after_the_commit(
    system: System, statement: str, is_locked: Callable[[int], bool]
) -> None:
    worker = system.start_worker(
        2, slice_seconds=1, lock_timeout_seconds=0.2
    )  # several slices: what is deferred is handed from one to the next
    system.start_beat()
    events = learners(system)
    with system.locked(statement):
        for turn in range(12):
            later = [viewed(key, 1, 1, seconds=1 + turn) for key in range(1, LEARNERS + 1)]
            events += later
            system.publish(later)
            others = [event for event in later if not is_locked(event.data.user_course_id)]
            wait_until(recorded(system, others), 2, "the events of everybody else")
        assert sum(system.pending().values()) > 0, "the locked ones are still there"
        assert system.dead_letters() == {}
    wait_until(recorded(system, events[LEARNERS:]), 5, "the events of the locked ones")
    system.assert_exact(events)
    assert not worker.lines("server_away")


def test_an_lms_that_locks_in_any_order_never_loses_to_a_worker(system: System) -> None:
    """Under load, transactions over several enrollments each, in random order and long beside a batch."""
    chance = random.Random(15)
    system.start_worker(2)
    system.start_beat()
    events = learners(system)
    errors: list[Exception] = []
    over = threading.Event()

    def write() -> None:
        keys = list(range(1, LEARNERS + 1))
        while not over.is_set():
            chance.shuffle(keys)
            try:
                with system.engine.begin() as lms:
                    for key in keys[:8]:
                        lms.execute(text("UPDATE user_course SET timezone = 'UTC' WHERE id = :id"), {"id": key})
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                errors.append(error)

    lms = threading.Thread(target=write)
    lms.start()
    try:
        for turn in range(50):
            later = [viewed(key, 1, 1, seconds=1 + turn) for key in range(1, LEARNERS + 1)]
            chance.shuffle(later)
            events += later
            system.publish_bodies([body(event) for event in later])
        wait_until(recorded(system, events[LEARNERS:]), 30, "every event")
    finally:
        over.set()
        lms.join()
    assert errors == []
    assert system.deadlocks() == 0
    assert system.dead_letters() == {}
    wait_until(system.is_drained, 30, "an empty stream")


@pytest.mark.second_tier
def test_a_parked_event_of_a_locked_enrollment_holds_up_no_other(system: System) -> None:
    system.start_worker(1)
    system.start_beat()
    early = [viewed(1, 1, 1), viewed(2, 1, 1)]
    system.publish(early)
    wait_until(lambda: system.dead_letters() == {"unknown_enrollment": 2}, 30, "both parked")
    execute(system.engine, "INSERT INTO user_course (id, user_id, course_id) VALUES (1, 70, 30)")
    with system.locked("SELECT FROM user_course WHERE id = 1 FOR UPDATE"):
        execute(system.engine, "INSERT INTO user_course (id, user_id, course_id) VALUES (2, 70, 30)")
        wait_until(recorded(system, early[1:]), 10, "the event of the one that nobody holds")
    system.assert_exact(early, lms_rows=dict.fromkeys([1, 2], (70, 30)))


def test_a_quarantined_entry_that_meets_a_lock_is_no_poison(system: System) -> None:
    """It was delivered often, and whoever tries it alone must neither wait for the lock nor die of it."""
    worker = system.start_worker(1, quarantine_deliveries=1, reclaim_idle_seconds=0.2)
    system.start_beat()
    events = learners(system)
    late = viewed(9, 1, 2, seconds=90)
    with system.locked("SELECT FROM user_course WHERE id = 9 FOR UPDATE"):
        (entry_id,) = system.publish_bodies([body(late)])
        stream = system.settings.stream_key
        wait_until(lambda: system.delivered(stream), 30, "the delivery")
        for _ in range(5):  # somebody else was given it too, and died
            system.redis.xclaim(stream, system.keys.group, "dead", 0, [entry_id], idle=60_000)
        others = [viewed(key, 1, 2, seconds=90) for key in range(1, 9)]
        system.publish(others)
        wait_until(recorded(system, others), 5, "the others' events")
    system.assert_exact([*events, late, *others])
    assert not worker.lines("poison_entry")


@pytest.mark.second_tier
def test_summaries_of_others_are_refreshed_beside_a_locked_course(system: System) -> None:
    worker = system.start_worker(1, summary_chunk=3)
    system.start_beat()
    events = learners(system)
    with system.locked("SELECT FROM user_course WHERE course_id = 1 FOR UPDATE"):
        later = [viewed(key, 1, 2, seconds=60) for key in range(1, LEARNERS + 1) if course_of(key) != 1]
        events += later
        system.publish(later)
        stale = "SELECT count(*) FROM user_course WHERE stale_since IS NOT NULL"
        wait_until(recorded(system, later), 5, "their events")
        wait_until(lambda: rows(system.engine, stale) == [(0,)], 10, "their summaries")
    system.assert_exact(events)
    assert not worker.lines("refresh_postponed")
