"""Activity that differs from the ledger is listed by `audit`, column by column, and computed anew by `rebuild`."""

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF
from tests.support.commands import invoke
from tests.support.events import completed, corrected, enrolled, entries, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import contents, execute, rows, snapshot
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit.compare import audit_scope
from worker.audit.difference import Difference
from worker.audit.repair import rebuild_scope
from worker.audit.scope import Scope
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.progress.retention import delete_expired

CUTOFF = IDLE_CUTOFF.total_seconds()
MARKED = "SELECT user_course_id FROM activity_change ORDER BY 1"
STUCK = AnalysisThresholds().stuck
REFRESHED = "SELECT user_course_id, refreshed_at FROM enrollment_activity"
TABLES = ("daily_activity", "enrollment_activity", "lesson_activity", "topic_activity")
OF_1 = "WHERE user_course_id = 1"


@pytest.fixture(autouse=True)
def _three_learners(engine: Engine) -> None:
    """Enrollments 1 and 2 pause for a quarter of an hour at 12:30 in Berlin, and 3 has no events."""
    events: list[Event] = [enrolled(1, timezone="Europe/Berlin"), enrolled(2, timezone="Europe/Berlin"), enrolled(3)]
    for each in (1, 2):
        events += [viewed(each, 1, 1), completed(each, 1, 2, seconds=900), viewed(each, 1, 2, seconds=1_000 * each)]
        events += [viewed(each, 2, 1, seconds=90_000, duration_seconds=60)]
    ingest(engine, entries(events))
    refresh_all(engine)


def rebuild(engine: Engine, cutoff: float = CUTOFF) -> list[Difference]:
    return [each for step in rebuild_scope(engine, Scope(), 60, STUCK, cutoff) for each in step.differences]


def found(engine: Engine) -> list[tuple[Any, ...]]:
    return [(each.table, "/".join(map(str, each.key)), each.column) for each in audited(engine)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("enrollment_activity SET seconds = 7", "enrollment_activity 1 seconds: stored 7.0, expected 1060.0"),
        ("enrollment_activity SET sessions = 7", "enrollment_activity 1 sessions: stored 7, expected 2"),
        (
            "enrollment_activity SET session_seconds = 7",
            "enrollment_activity 1 session_seconds: stored 7.0, expected 1060.0",
        ),
        (
            "enrollment_activity SET first_at = NULL",
            "enrollment_activity 1 first_at: stored nothing, expected 2025-07-14T10:30:00Z",
        ),
        (
            "enrollment_activity SET last_at = NULL",
            "enrollment_activity 1 last_at: stored nothing, expected 2025-07-15T11:30:00Z",
        ),
        (
            "enrollment_activity SET events_by_hour[14] = 7",
            "enrollment_activity 1 events_by_hour: stored [12: 3, 13: 7, 37: 1], expected [12: 3, 37: 1]",
        ),
        ("lesson_activity SET seconds = 7 {lesson}", "lesson_activity 1/1/1 seconds: stored 7.0, expected 900.0"),
        (
            "lesson_activity SET measured_seconds = 7 {lesson}",
            "lesson_activity 1/1/1 measured_seconds: stored 7.0, expected 0.0",
        ),
        ("lesson_activity SET visits = 7 {lesson}", "lesson_activity 1/1/1 visits: stored 7, expected 1"),
        (
            "lesson_activity SET visits_to_complete = 7 {lesson}",
            "lesson_activity 1/1/1 visits_to_complete: stored 7, expected nothing",
        ),
        (
            "lesson_activity SET first_visit_at = '2025-07-01Z' {lesson}",
            "lesson_activity 1/1/1 first_visit_at: stored 2025-07-01T00:00:00Z, expected 2025-07-14T10:30:00Z",
        ),
        (
            "lesson_activity SET last_visit_at = '2025-07-01Z' {lesson}",
            "lesson_activity 1/1/1 last_visit_at: stored 2025-07-01T00:00:00Z, expected 2025-07-14T10:30:00Z",
        ),
        ("topic_activity SET seconds = 7 {topic}", "topic_activity 1/2 seconds: stored 7.0, expected 60.0"),
        (
            "topic_activity SET measured_seconds = 7 {topic}",
            "topic_activity 1/2 measured_seconds: stored 7.0, expected 60.0",
        ),
        ("daily_activity SET seconds = 7 {day}", "daily_activity 1/2025-07-15 seconds: stored 7.0, expected 60.0"),
        (
            "daily_activity SET measured_seconds = 7 {day}",
            "daily_activity 1/2025-07-15 measured_seconds: stored 7.0, expected 60.0",
        ),
        ("daily_activity SET events = 7 {day}", "daily_activity 1/2025-07-15 events: stored 7, expected 1"),
    ],
)
def test_a_column_that_differs_is_told_and_nothing_else(
    environment: dict[str, str], engine: Engine, change: str, told: str
) -> None:
    where = {
        "lesson": " AND (topic_id, lesson_id) = (1, 1)",
        "topic": " AND topic_id = 2",
        "day": " AND day > '2025-07-14'",
    }
    table, _, rest = change.partition(" {")
    execute(engine, f"UPDATE {table} {OF_1}{where.get(rest.rstrip('}'), '')}")
    for options in ([], ["--user-course", "1"]):
        result = invoke(environment, "audit", *options)
        assert result.exit_code == 1
        assert result.stdout.splitlines()[:-1] == [told]
        assert result.stdout.endswith("audited: 1 difference in 1 row.\n")


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_is_gone_is_told(engine: Engine, table: str) -> None:
    assert audited(engine) == []
    execute(engine, f"DELETE FROM {table} {OF_1}")
    differences = audited(engine)
    assert {(each.table, each.key[0], each.column, each.stored) for each in differences} == {(table, 1, "*", "no row")}
    assert (
        len(differences)
        == {"daily_activity": 2, "enrollment_activity": 1, "lesson_activity": 3, "topic_activity": 2}[table]
    )


def test_an_enrollment_without_events_has_a_row_too(engine: Engine) -> None:
    execute(engine, "DELETE FROM enrollment_activity WHERE user_course_id = 3")
    assert found(engine) == [("enrollment_activity", "3", "*")]


def test_rows_of_what_never_happened_are_told(environment: dict[str, str], engine: Engine) -> None:
    execute(
        engine,
        "INSERT INTO lesson_activity VALUES (3, 7, 8, 1, 0, 1, '2025-07-14Z', '2025-07-14Z', NULL)",
        "INSERT INTO topic_activity VALUES (3, 7, 1, 0)",
        "INSERT INTO daily_activity VALUES (3, '2025-07-14', 1, 0, 0)",
    )
    visited = "first_visit_at 2025-07-14T00:00:00Z, last_visit_at 2025-07-14T00:00:00Z"
    assert invoke(environment, "audit").stdout.splitlines() == [
        "daily_activity 3/2025-07-14 *: stored seconds 1.0, measured_seconds 0.0, events 0, expected no row",
        f"lesson_activity 3/7/8 *: stored seconds 1.0, measured_seconds 0.0, visits 1, {visited}, expected no row",
        "topic_activity 3/7 *: stored seconds 1.0, measured_seconds 0.0, expected no row",
        "3 enrollments audited: 3 differences in 3 rows.",
    ]


@pytest.mark.parametrize(
    "waiting",
    [
        "INSERT INTO activity_change (user_course_id) VALUES (1)",
        "UPDATE user_course SET stale_since = now() WHERE id = 1",
    ],
)
def test_activity_that_waits_for_its_refresh_is_not_compared(engine: Engine, waiting: str) -> None:
    execute(engine, "UPDATE lesson_activity SET visits = 7 WHERE lesson_id = 1 AND topic_id = 1", waiting)
    assert found(engine) == [("lesson_activity", "2/1/1", "visits")]


def test_rows_that_an_lms_makes_ahead_hide_nothing(engine: Engine) -> None:
    """Their mark is passed on to no activity."""
    execute(
        engine,
        "UPDATE enrollment_activity SET sessions = 7 WHERE user_course_id = 1",
        "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 9, 9)",
    )
    assert rows(engine, "SELECT user_course_id FROM enrollment_change") == [(1,)]
    assert found(engine) == [("enrollment_activity", "1", "sessions")]
    refresh_all(engine)
    assert found(engine) == [("enrollment_activity", "1", "sessions"), ("course_figures", "3", "sessions")]


def test_a_wrong_completion_is_told_once(engine: Engine) -> None:
    execute(engine, f"UPDATE user_course_progress SET completed_at = NULL {OF_1} AND lesson_id = 2")
    assert found(engine) == [("user_course_progress", "1/1/2", "completed_at")]
    execute(engine, "INSERT INTO activity_change (user_course_id) VALUES (1)")
    refresh_all(engine)
    assert found(engine) == [
        ("user_course_progress", "1/1/2", "completed_at"),
        ("lesson_activity", "1/1/2", "visits_to_complete"),
        ("week_figures", "3/2025-07-14", "completed"),
    ]
    rebuild(engine)
    refresh_all(engine)
    assert audited(engine) == []


# ---- Rebuild -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_a_rebuild_computes_what_differs_alone_anew(engine: Engine, table: str) -> None:
    before, refreshed = contents(engine), dict(rows(engine, REFRESHED))
    execute(engine, f"UPDATE {table} SET measured_seconds = 7 {OF_1}")
    differences = audited(engine)
    assert {(each.table, each.key[0]) for each in differences} == {(table, 1)}
    assert rebuild(engine) == differences
    assert contents(engine) == before
    assert {key for key, at in rows(engine, REFRESHED) if at != refreshed[key]} == {1}
    assert audited(engine) == []


def test_a_rebuild_where_nothing_differs_writes_nothing(engine: Engine) -> None:
    before = snapshot(engine)
    assert rebuild(engine) == []
    assert snapshot(engine) == before


def test_after_another_cut_off_what_it_changes_is_told_and_computed_anew_alone(
    environment: dict[str, str], engine: Engine
) -> None:
    """Of enrollment 1 no gap is between 950 and 1,800 seconds; of 2 one is."""
    environment = {**environment, "PROGRESS_IDLE_CUTOFF_SECONDS": "950"}
    *said, total = invoke(environment, "audit").stdout.splitlines()
    assert said[:8] == [
        "daily_activity 2/2025-07-14 seconds: stored 2000.0, expected 900.0",
        "enrollment_activity 2 seconds: stored 2060.0, expected 960.0",
        "enrollment_activity 2 sessions: stored 2, expected 3",
        "enrollment_activity 2 session_seconds: stored 2060.0, expected 960.0",
        "lesson_activity 2/1/2 seconds: stored 1100.0, expected 0.0",
        "lesson_activity 2/1/2 visits: stored 1, expected 2",
        "lesson_activity 2/1/2 last_visit_at: stored 2025-07-14T10:45:00Z, expected 2025-07-14T11:03:20Z",
        "topic_activity 2/1 seconds: stored 2000.0, expected 900.0",
    ]
    assert {line.partition(" ")[0] for line in said[8:]} == {"course_figures", "week_figures", "lesson_figures"}
    assert total.startswith("3 enrollments audited: 15 differences")
    assert invoke(environment, "rebuild").exit_code == 0
    assert rows(engine, MARKED) == []
    assert invoke(environment, "audit").stdout.splitlines()[0] == "3 enrollments audited: 0 differences."
    assert {each.key[0] for each in audited(engine) if each.table.endswith("activity")} == {2}


# ---- After retention -----------------------------------------------------------------------------------------------


def test_after_retention_and_refresh_nothing_differs_from_what_is_left(engine: Engine) -> None:
    ingest(engine, entries([corrected(2, 1, 2, status="in_progress", seconds=1_500)]))
    refresh_all(engine)
    execute(
        engine,
        "UPDATE lesson_event SET recorded_at = now() - interval '40 days' WHERE topic_id = 1 AND user_course_id < 3",
    )
    assert delete_expired(engine, 30) == 4
    assert audited(engine) == []
    refresh_all(engine)
    assert audited(engine) == []
    assert rows(engine, "SELECT user_course_id, lesson_id FROM lesson_activity ORDER BY 1, 2") == [
        (1, 1),
        (2, 1),
        (2, 2),
    ]
    execute(engine, "UPDATE topic_activity SET seconds = 7 WHERE user_course_id = 1")
    assert found(engine) == [("topic_activity", "1/2", "seconds")]


def test_a_scope_of_one_or_of_some_compares_activity_too(engine: Engine) -> None:
    execute(engine, "UPDATE enrollment_activity SET sessions = 7")
    for scope, size in ((Scope(user_course_id=2), 1), (Scope(sample=2), 2), (Scope(), 3)):
        assert sum(len(step.differences) for step in audit_scope(engine, scope, CUTOFF, STUCK)) == size
