"""An LMS's trigger raises for a while: nothing is set aside for it, and everything is applied once it is gone."""

from collections.abc import Callable, Sequence

import pytest

from tests.support.events import body, enrolled, viewed
from tests.support.system import System
from tests.support.tables import execute, rows
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent

RAISING = (
    """CREATE FUNCTION maintenance() RETURNS trigger LANGUAGE plpgsql AS
       $$BEGIN RAISE EXCEPTION 'closed for maintenance'; END$$""",
    """CREATE TRIGGER maintenance BEFORE INSERT OR UPDATE ON user_course_progress
       FOR EACH ROW EXECUTE FUNCTION maintenance()""",
)
CHECK = ("ALTER TABLE user_course_progress ADD CONSTRAINT closed CHECK (lesson_id = 0) NOT VALID",)
REOPENED = {
    "a trigger": (RAISING, "DROP TRIGGER maintenance ON user_course_progress"),
    "a rule of the data": (CHECK, "ALTER TABLE user_course_progress DROP CONSTRAINT closed"),
}


def recorded(system: System, events: Sequence[CloudEvent]) -> Callable[[], bool]:
    """Whether all these events are in the ledger."""
    ids = [event.event_id for event in events]
    sql = "SELECT count(*) FROM lesson_event WHERE event_id = ANY (CAST(:ids AS uuid[]))"
    return lambda: rows(system.engine, sql, ids=ids) == [(len(events),)]


@pytest.mark.parametrize(("close", "reopen"), REOPENED.values(), ids=REOPENED)
@pytest.mark.second_tier
def test_what_is_refused_with_everything_else_waits(system: System, close: tuple[str, ...], reopen: str) -> None:
    worker = system.start_worker(2, slice_seconds=2, backoff_seconds=0.2)
    system.start_beat()
    events: list[CloudEvent] = [enrolled(key) for key in range(1, 21)]
    system.publish(events)
    system.assert_exact(events)
    execute(system.engine, *close)
    later = [viewed(key, 1, turn, seconds=turn) for turn in range(1, 16) for key in range(1, 21)]
    system.publish(later)
    for key in range(1, 21):
        last = [viewed(key, 2, 1, seconds=90), viewed(key, 2, 2, seconds=91)]
        system.publish(last)
        later += last
        (refused, *_) = worker.wait_for_line("everything_refused", count=1 + key // 5)
    assert refused["detail"]
    assert system.dead_letters() == {}
    assert system.recorded() == 0
    execute(system.engine, reopen)
    system.assert_exact([*events, *later])


@pytest.mark.second_tier
def test_an_entry_that_alone_is_refused_is_set_aside_once_another_is_accepted(system: System) -> None:
    system.start_worker(1)
    system.start_beat()
    execute(
        system.engine,
        """CREATE FUNCTION check_lesson() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN IF new.lesson_id = 13 THEN RAISE EXCEPTION 'no lesson 13'; END IF; RETURN new; END$$""",
        """CREATE TRIGGER check_lesson BEFORE INSERT ON user_course_progress
           FOR EACH ROW EXECUTE FUNCTION check_lesson()""",
    )
    events: list[CloudEvent] = [enrolled(1)]
    system.publish(events)
    system.assert_exact(events)
    bad = [viewed(1, topic, 13) for topic in range(1, 30)]
    system.publish(bad)
    wait_until(lambda: sum(system.pending().values()) == len(bad), 30, "all of them, undecided")
    assert system.dead_letters() == {}
    good = viewed(1, 1, 1)
    system.publish([good])
    system.assert_exact([*events, good], rejected={"data_error": len(bad)})
    assert rows(system.engine, "SELECT DISTINCT detail FROM dead_letter") == [("no lesson 13",)]


def test_a_parked_event_is_not_given_up_when_everything_is_refused(system: System) -> None:
    system.start_worker(1)
    system.start_beat()
    early = [viewed(1, 1, number) for number in range(1, 4)]
    system.publish(early)
    wait_until(lambda: system.dead_letters() == {"unknown_enrollment": 3}, 30, "the parked events")
    execute(system.engine, *RAISING)
    enrollment = enrolled(1)
    system.publish([enrollment])
    wait_until(lambda: rows(system.engine, "SELECT count(*) FROM user_course") == [(1,)], 30, "the enrollment")
    wait_until(lambda: not any(each.lag or each.pending for each in system.backlogs()), 30, "nothing left to read")
    assert system.dead_letters() == {"unknown_enrollment": 3}
    execute(system.engine, "DROP TRIGGER maintenance ON user_course_progress")
    system.assert_exact([*early, enrollment])


@pytest.mark.second_tier
def test_maintenance_again_and_again_sets_nothing_aside(system: System) -> None:
    """What was accepted between two of them does not speak against what the second refuses."""
    worker = system.start_worker(1, backoff_seconds=0.2)
    system.start_beat()
    events: list[CloudEvent] = [enrolled(key) for key in range(1, 11)]
    system.publish(events)
    system.assert_exact(events)
    execute(system.engine, *RAISING)
    for turn in range(1, 4):
        later = [viewed(key, turn, turn, seconds=turn) for key in range(1, 11)]
        events += later
        system.publish(later)
        worker.wait_for_line("everything_refused", count=len(worker.lines("everything_refused")) + 1)
        assert system.dead_letters() == {}
        execute(system.engine, "ALTER TABLE user_course_progress DISABLE TRIGGER maintenance")
        wait_until(recorded(system, later), 20, "everything, between two maintenances")
        execute(system.engine, "ALTER TABLE user_course_progress ENABLE TRIGGER maintenance")
    assert system.dead_letters() == {}


def test_enrollments_that_are_refused_hold_up_no_lesson_events(system: System) -> None:
    worker = system.start_worker(1)
    system.start_beat()
    events: list[CloudEvent] = [enrolled(key) for key in range(1, 11)]
    system.publish(events)
    system.assert_exact(events)
    execute(system.engine, "ALTER TABLE user_course ADD CONSTRAINT open CHECK (user_id < 1000) NOT VALID")
    refused = [enrolled(key, user_id=1_000) for key in range(11, 31)]
    good = [viewed(key, 1, 1) for key in range(1, 11)]
    system.publish_bodies([body(event) for event in (*refused, *good)])
    wait_until(lambda: system.recorded() == len(good), 20, "the lesson events")
    assert worker.lines("everything_refused")
    assert system.dead_letters() == {}
