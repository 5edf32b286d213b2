"""A device's clock stood in 2028: its event is voided, and stays out however often it comes again."""

import json
from datetime import UTC, datetime
from threading import Thread
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests.support.activity import expected_activity, stored_activity
from tests.support.commands import invoke
from tests.support.events import START, at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, record, refresh_all
from tests.support.system import System
from tests.support.tables import contents, execute, rows, snapshot
from tests.support.wait import wait_until
from worker.audit.void import void_event
from worker.contract.event import Event, LedgerEvent
from worker.progress.enrollments import lock_enrollments
from worker.progress.ingest import ingest
from worker.progress.reference import fold
from worker.progress.retention import delete_expired

AHEAD = (datetime(2028, 2, 1, tzinfo=UTC) - START).total_seconds()
FUTURE = "SELECT user_course_id, event_id FROM lesson_event WHERE occurred_at > '2028-01-01'"
PROGRESS = """
    SELECT lesson_id, status::text, last_viewed_at, completed_at, corrected_at FROM user_course_progress
    ORDER BY lesson_id
"""
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
NOWHERE = "ffffffff-ffff-4fff-bfff-ffffffffffff"

KNOWN: list[Event] = [
    outlined(3, [(1, 1), (1, 2), (1, 3)]),
    enrolled(1),
    viewed(1, 1, 1, seconds=1, section_id=4),
    completed(1, 1, 1, seconds=60),
    corrected(1, 1, 2, seconds=100, status="completed", last_viewed_at=at(90), completed_at=at(90)),
    viewed(1, 1, 2, seconds=200),
]
WRONG: dict[str, LedgerEvent] = {
    "a view years ahead": viewed(1, 1, 1, seconds=AHEAD),
    "a view that is a row's only event": viewed(1, 1, 3, seconds=AHEAD),
    "a completion of a lesson that was only viewed": completed(1, 1, 3, seconds=150, id=NOWHERE),
    "the earliest of two completions": completed(1, 1, 1, seconds=-50),
    "an event before a correction": viewed(1, 1, 2, seconds=20),
    "a completion after a correction": completed(1, 1, 2, seconds=AHEAD),
    "the ruling correction": corrected(1, 1, 2, seconds=AHEAD),
    "the only correction of a lesson": corrected(1, 1, 1, seconds=AHEAD, status="not_started"),
    "an older correction": corrected(1, 1, 2, seconds=50),
    "a correction of a lesson without any event": corrected(1, 1, 3, seconds=AHEAD, status="completed"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_left_is_as_if_it_had_never_come(engine: Engine, wrong: LedgerEvent) -> None:
    record(engine, [*KNOWN, wrong])
    assert audited(engine) == []
    void_event(engine, wrong.event_id, None, 10)
    assert audited(engine) == [], "rows, position and summary are right at once"
    refresh_all(engine)
    state = fold(KNOWN)
    assert stored_activity(engine) == expected_activity(state)
    found = {key: rest for key, *rest in rows(engine, PROGRESS)}
    expected = {
        key[2]: [r.status, r.last_viewed_at, r.completed_at, r.corrected_at] for key, r in state.progress.items()
    }
    assert found == {3: ["not_started", None, None, None], **expected} if 3 in found else expected
    ((lesson, time),) = rows(engine, "SELECT current_lesson, position_at FROM user_course")
    assert (lesson, time) == (state.positions[1].lesson_id, state.positions[1].occurred_at)
    assert audited(engine) == []


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_it_stays_out_when_it_comes_again(engine: Engine, environment: dict[str, str], wrong: LedgerEvent) -> None:
    record(engine, [*KNOWN, wrong])
    void_event(engine, wrong.event_id, 1, 10)
    refresh_all(engine)
    before = snapshot(engine)
    outcome = ingest(engine, entries([wrong, wrong]))
    assert (outcome.applied, outcome.repeated) == (0, 2)
    assert void_event(engine, wrong.event_id, None, 10).event is None
    assert invoke(environment, "rebuild").exit_code == 0
    assert snapshot(engine) == before


def test_workers_keep_it_out_when_it_is_published_again(system: System) -> None:
    late = viewed(1, 1, 3, seconds=300)
    wrong = viewed(1, 1, 1, seconds=AHEAD, id="tablet-7", source="/app")
    ingest(system.engine, entries([*KNOWN, wrong]))  # Redis' clock stood there too, or its stream had refused the time
    system.start_worker(2)
    system.start_beat(summary_seconds=0.2, activity_seconds=0.2, statistics_seconds=0.5)
    ((key, event_id),) = rows(system.engine, FUTURE)
    result = invoke(system.environment(), "void", str(event_id), "--enrollment", str(key))
    assert result.exit_code == 0, result.output
    other = wrong.model_copy(update={"time": at(400)})  # of equal identities the first speaks
    system.publish([wrong, other, *KNOWN, wrong, late])
    system.assert_exact([*KNOWN, late], rejected={"time_out_of_range": 2, "identity_conflict": 1})


def test_one_that_is_being_recorded_is_waited_for(engine: Engine) -> None:
    wrong = viewed(1, 1, 3, seconds=AHEAD)
    record(engine, [*KNOWN, wrong])
    voiding = Thread(target=void_event, args=[engine, wrong.event_id, 1, 10])
    with engine.begin() as connection:
        lock_enrollments(connection, [1])
        voiding.start()
        wait_until(lambda: rows(engine, WAITING), what="the wait for the enrollment")
    voiding.join(10)
    assert rows(engine, FUTURE) == []


# ---- Which event -----------------------------------------------------------------------------------------------------


def said(environment: dict[str, str], *arguments: str, code: int = 0) -> str:
    result = invoke(environment, "void", *arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_it_says_what_it_changed_and_a_trial_changes_nothing(engine: Engine, environment: dict[str, str]) -> None:
    wrong = completed(1, 1, 3, seconds=AHEAD)
    record(engine, [*KNOWN, wrong])
    before = contents(engine)
    changes = [
        "user_course_progress 1/1/3 status: stored completed, expected not_started",
        "user_course_progress 1/1/3 last_viewed_at: stored 2028-02-01T00:00:00Z, expected nothing",
        "user_course_progress 1/1/3 completed_at: stored 2028-02-01T00:00:00Z, expected nothing",
        "user_course 1 current_lesson: stored 3, expected 2",
        "user_course 1 position_at: stored 2028-02-01T00:00:00Z, expected 2025-07-14T10:33:20Z",
        "user_course 1 position_type: stored completed, expected viewed",
        f"user_course 1 position_event_id: stored {wrong.event_id}, expected {KNOWN[-1].event_id}",
    ]
    what = f"Event {wrong.event_id} of enrollment 1 (lesson.completed at 2028-02-01 00:00:00 UTC, topic 1, lesson 3)"
    lines = said(environment, wrong.event_id, "--dry-run").splitlines()
    assert lines == [*changes, f"{what} would be voided; nothing was changed."]
    assert contents(engine) == before
    assert said(environment, wrong.event_id).splitlines() == [*changes, f"{what} is voided."]
    assert "was already voided" in said(environment, wrong.event_id)
    found = json.loads(said(environment, wrong.event_id, "--json"))
    assert (found["voided"], found["changes"], found["user_course_id"]) == (False, [], 1)


def test_it_is_found_by_its_publishers_id_and_source(engine: Engine, environment: dict[str, str]) -> None:
    record(engine, [*KNOWN, viewed(1, 1, 3, seconds=AHEAD, id="tablet-7", source="/app")])
    assert "tablet-7 is no UUID" in said(environment, "tablet-7", code=1)
    assert "There is no event" in said(environment, "tablet-7", "--source", "/other", code=1)
    assert json.loads(said(environment, "tablet-7", "--source", "/app", "--json"))["voided"]


def test_what_is_not_there_or_not_clear_changes_nothing(engine: Engine, environment: dict[str, str]) -> None:
    identity = str(uuid4())
    record(engine, [*KNOWN, enrolled(2), *(viewed(each, 1, 3, seconds=AHEAD, id=identity) for each in (1, 2))])
    assert "There is no event" in said(environment, NOWHERE, code=1)
    assert "of enrollment 9" in said(environment, identity, "--enrollment", "9", code=1)
    assert "say which with --enrollment (1, 2)" in said(environment, identity, code=1)
    assert len(rows(engine, FUTURE)) == 2
    said(environment, identity.upper(), "--enrollment", "2")
    assert rows(engine, "SELECT user_course_id FROM voided_event") == [(2,)]


def test_somebody_who_holds_the_enrollment_is_told(engine: Engine, environment: dict[str, str]) -> None:
    wrong = viewed(1, 1, 3, seconds=AHEAD)
    record(engine, [*KNOWN, wrong])
    with engine.begin() as connection:
        lock_enrollments(connection, [1])
        output = said({**environment, "PROGRESS_LOCK_TIMEOUT_SECONDS": "0.1"}, wrong.event_id, code=1)
    assert "Nothing was changed: another session keeps the enrollment" in output


# ---- What else happens to voided ones ------------------------------------------------------------------------------


def test_after_retention_it_takes_back_only_what_it_said_itself(engine: Engine) -> None:
    old: list[Event] = [viewed(1, 1, 3, seconds=1), completed(1, 1, 1, seconds=2)]
    ingest(engine, entries([outlined(3, [(1, 1), (1, 3)]), enrolled(1), *old]))
    execute(engine, "UPDATE lesson_event SET recorded_at = now() - interval '40 days'")
    refresh_all(engine)
    assert delete_expired(engine, 30) == 2
    wrong: list[LedgerEvent] = [completed(1, 1, 3, seconds=AHEAD), viewed(1, 1, 1, seconds=AHEAD)]
    record(engine, wrong)
    for event in wrong:
        void_event(engine, event.event_id, 1, 10)
    assert rows(engine, PROGRESS) == [(1, "completed", None, at(2), None), (3, "in_progress", None, None, None)]
    assert rows(engine, "SELECT current_lesson, position_at FROM user_course") == [(None, None)]
    assert audited(engine) == []


def test_it_goes_with_its_enrollment(engine: Engine) -> None:
    wrong = viewed(1, 1, 3, seconds=AHEAD)
    record(engine, [*KNOWN, wrong])
    void_event(engine, wrong.event_id, 1, 10)
    execute(engine, "DELETE FROM user_course")
    assert rows(engine, "SELECT FROM voided_event") == []
