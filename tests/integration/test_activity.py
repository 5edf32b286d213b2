"""Refreshing activity: whatever changes it marks it, oldest change first, one run at a time, and never a mark lost."""

from threading import Thread

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from tests.support.activity import IDLE_CUTOFF, expected_activity, stored_activity
from tests.support.events import at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import BEHIND, refresh_activity, refresh_all
from tests.support.tables import contents, counted_statements, execute, rows
from tests.support.wait import wait_until
from worker.analytics import activity_claims
from worker.analytics.activity_statement import compute_activity
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit.repair import rebuild_scope, repair
from worker.audit.scope import Scope
from worker.contract.event import Event
from worker.database import stale_marks
from worker.progress.ingest import ingest
from worker.progress.reference import fold
from worker.progress.retention import delete_expired
from worker.summary.refresh import refresh_summaries

CUTOFF = IDLE_CUTOFF.total_seconds()
MARKED = "SELECT DISTINCT user_course_id FROM activity_change ORDER BY 1"
STUCK = AnalysisThresholds().stuck
REFRESHED = "SELECT user_course_id, refreshed_at FROM enrollment_activity ORDER BY 1"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
ACTIVITY = ("enrollment_activity", "topic_activity", "lesson_activity", "daily_activity")


def never() -> bool:
    """One transaction is enough."""
    return False


def marked(engine: Engine) -> list[int]:
    return [key for (key,) in rows(engine, MARKED)]


def record(engine: Engine, *events: Event) -> None:
    """Record them, and have their summaries refreshed, which marks the activity."""
    ingest(engine, entries(events))
    refresh_summaries(engine, 500)


def learners(engine: Engine, *ids: int) -> list[Event]:
    """Enrollments with events on two lessons, half an hour before a midnight in Berlin and after it."""
    events: list[Event] = [outlined(3, [(1, 1), (1, 2)])]
    midnight = 86_400 - 12.5 * 3_600  # START is 10:30 UTC, 12:30 in Berlin
    for each in ids:
        events += [
            enrolled(each, timezone="Europe/Berlin"),
            viewed(each, 1, 1, seconds=midnight - 900),
            viewed(each, 1, 2, seconds=midnight + 300, duration_seconds=600),
            completed(each, 1, 2, seconds=midnight + 7_200),
        ]
    ingest(engine, entries(events))
    refresh_all(engine)
    return events


MIDNIGHT = 41_400
LATE: dict[str, Event] = {
    "a view before all others": viewed(1, 1, 1, seconds=-9),
    "a view that ends another's time": viewed(1, 1, 1, seconds=MIDNIGHT - 700, duration_seconds=1),
    "a view that is no news to the summary": viewed(1, 1, 2, seconds=MIDNIGHT + 400),
    "a duration over all others": viewed(1, 1, 1, seconds=MIDNIGHT + 3_000, duration_seconds=40_000),
    "a view that joins two sessions": viewed(1, 2, 9, seconds=MIDNIGHT + 1_900),
    "an earlier completion": completed(1, 1, 2, seconds=MIDNIGHT - 5_000),
    "the latest event": viewed(1, 1, 1, seconds=90_000),
    "a correction": corrected(1, 1, 2, seconds=99_000, status="completed", completed_at=at(MIDNIGHT)),
    "a correction that takes back": corrected(1, 1, 2, seconds=99_000, status="in_progress"),
    "another time zone": enrolled(1, timezone="Asia/Tokyo", seconds=5),
    "a time zone that is none": enrolled(1, timezone="Somewhere", seconds=5),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_what_follows_from_a_late_event_equals_a_full_computation(engine: Engine, late: Event) -> None:
    events = [*learners(engine, 1, 2), late]
    before = stored_activity(engine)
    record(engine, late)
    assert marked(engine) == [1]
    refresh_all(engine)
    assert stored_activity(engine) == expected_activity(fold(events))
    assert stored_activity(engine)[1] != before[1]
    incremental = contents(engine)
    execute(
        engine,
        *(f"DELETE FROM {name}" for name in ACTIVITY),
        "INSERT INTO activity_change (user_course_id) VALUES (1), (2)",
    )
    refresh_all(engine)
    assert contents(engine) == incremental


def test_a_time_zone_that_an_lms_changes_itself_marks_too(engine: Engine) -> None:
    learners(engine, 1, 2)
    before = stored_activity(engine)
    execute(engine, "UPDATE user_course SET timezone = 'America/New_York' WHERE id = 2")
    assert marked(engine) == [2]
    refresh_all(engine)
    assert stored_activity(engine) == before, "the days until now were in Berlin"


def test_what_changes_no_activity_marks_none(engine: Engine) -> None:
    events = learners(engine, 1, 2)
    record(engine, *events, outlined(3, [(1, 2)], seconds=9))
    execute(engine, "UPDATE user_course SET timezone = timezone, user_id = 9")
    execute(engine, "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 7, 7)")
    refresh_summaries(engine, 500)
    assert marked(engine) == []


def test_the_oldest_change_comes_first_and_only_what_changed_is_refreshed(engine: Engine) -> None:
    learners(engine, 1, 2, 3, 4)
    for each in (3, 1, 2, 3):
        record(engine, viewed(each, 1, 1, seconds=100_000))
    before = dict(rows(engine, REFRESHED))
    for left in ([1, 2], [2], []):
        assert refresh_activity(engine, 1, CUTOFF, never).enrollments == 1
        assert marked(engine) == left
    after = dict(rows(engine, REFRESHED))
    assert {key for key in before if after[key] != before[key]} == {1, 2, 3}


def test_a_mark_is_as_old_as_its_change(engine: Engine) -> None:
    learners(engine, 1)
    ingest(engine, entries([viewed(1, seconds=100_000)]))
    ((since,),) = rows(engine, "SELECT stale_since FROM user_course")
    assert refresh_activity(engine, 500, CUTOFF).oldest_change_at == since
    refresh_summaries(engine, 500)
    assert rows(engine, "SELECT changed_at FROM activity_change") == [(since,)]


def test_a_run_that_dies_in_its_transaction_leaves_everything_to_the_next(engine: Engine) -> None:
    events = learners(engine, 1, 2)
    late = [viewed(each, 1, 1, seconds=100_000) for each in (1, 2)]
    record(engine, *late)
    before = stored_activity(engine)
    with engine.connect() as connection:
        ids = activity_claims.claim(connection, 500)
        assert ids == [1, 2]
        compute_activity(connection, ids, CUTOFF)
        connection.rollback()
    assert marked(engine) == [1, 2]
    assert stored_activity(engine) == before
    refresh_all(engine)
    assert stored_activity(engine) == expected_activity(fold([*events, *late]))


def test_two_runs_at_once_and_a_change_between_them_lose_nothing(engine: Engine) -> None:
    """The second would see the newer event and store first; the first, of an older moment, would then overwrite it."""
    events = learners(engine, 1)
    late = [viewed(1, 1, 1, seconds=100_000 + number) for number in (1, 2)]
    record(engine, late[0])
    with engine.begin() as connection:
        ids = activity_claims.claim(connection, 500)
        assert ids == [1]
        compute_activity(connection, ids, CUTOFF)
        record(engine, late[1])
        assert marked(engine) == [1]
        other = refresh_activity(engine, 500, CUTOFF)
        assert other.enrollments == 0
        assert other.oldest_change_at is not None
    assert marked(engine) == [1]
    refresh_all(engine)
    assert stored_activity(engine) == expected_activity(fold([*events, *late]))


def test_events_are_recorded_while_a_run_is_in_its_transaction(engine: Engine) -> None:
    learners(engine, 1)
    with engine.begin() as connection:
        stale_marks.mark_activity(connection, [1])
    with engine.begin() as connection:
        ids = activity_claims.claim(connection, 500)
        compute_activity(connection, ids or [], CUTOFF)
        execute(engine, "SET LOCAL lock_timeout = '1s'", "UPDATE user_course SET updated_at = now()")


def test_retention_leaves_the_activity_of_what_is_left(engine: Engine) -> None:
    events: list[Event] = [enrolled(1), *(viewed(1, 1, number, seconds=60 * number) for number in range(1, 6))]
    record(engine, *events)
    refresh_all(engine)
    gone = [event.event_id for event in events[2:4]]
    execute(
        engine,
        "UPDATE lesson_event SET recorded_at = now() - interval '40 days' WHERE event_id::text = ANY(:ids)",
        ids=gone,
    )
    assert delete_expired(engine, 30) == 2
    assert marked(engine) == [1]
    refresh_all(engine)
    left = stored_activity(engine)[1]
    kept = [event for event in events if event.event_id not in gone]
    assert left == expected_activity(fold(kept))[1]
    assert left.lessons.keys() == {(1, 1), (1, 4), (1, 5)}


def test_an_enrollment_that_is_deleted_takes_its_activity_and_its_marks_along(engine: Engine) -> None:
    learners(engine, 1, 2)
    record(engine, viewed(1, seconds=100_000))
    execute(engine, "DELETE FROM user_course WHERE id = 1")
    refresh_all(engine)
    assert stored_activity(engine).keys() == {2}
    assert rows(engine, BEHIND) == [(False,)]
    for name in ACTIVITY:
        assert rows(engine, f"SELECT DISTINCT user_course_id FROM {name}") == [(2,)]


def test_one_that_is_being_deleted_is_passed_over(engine: Engine) -> None:
    learners(engine, 1, 2)
    record(engine, *(viewed(each, seconds=100_000) for each in (1, 2)))
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM user_course WHERE id = 1")
        assert refresh_activity(engine, 500, CUTOFF).enrollments == 1
        assert marked(engine) == [1]
    refresh_all(engine)
    assert marked(engine) == []


def test_a_deletion_waits_for_the_run_that_has_the_enrollment(engine: Engine) -> None:
    learners(engine, 1)
    record(engine, viewed(1, 5, 5, seconds=100_000))
    deletion = Thread(target=execute, args=[engine, "DELETE FROM user_course"])
    with engine.begin() as connection:
        ids = activity_claims.claim(connection, 500)
        deletion.start()
        wait_until(lambda: rows(engine, WAITING), what="the deletion's wait")
        compute_activity(connection, ids or [], CUTOFF)
    deletion.join(10)
    assert stored_activity(engine) == {}
    assert rows(engine, "SELECT count(*) FROM lesson_activity") == [(0,)]


def test_enrollments_without_any_event_have_no_activity(engine: Engine) -> None:
    record(engine, enrolled(1), corrected(1, 1, 1, status="completed", completed_at=at(0)))
    refresh_all(engine)
    its = stored_activity(engine)[1]
    assert (its.lessons, its.days, its.first_at, its.events_by_hour) == ({}, {}, None, [0] * 168)


def test_a_rebuild_with_another_cut_off_has_activity_computed_again(engine: Engine) -> None:
    events = learners(engine, 1, 2)
    long, short = (expected_activity(fold(events), cutoff) for cutoff in (IDLE_CUTOFF, IDLE_CUTOFF / 3))
    for scope, cutoff, expected in (
        (Scope(), CUTOFF, long),
        (Scope(2), 600, {1: long[1], 2: short[2]}),
        (Scope(), 600, short),
    ):
        assert [step.left for step in rebuild_scope(engine, scope, 60, STUCK, cutoff) if step.left] == []
        assert stored_activity(engine) == expected
        assert marked(engine) == []


def test_a_repair_marks_what_it_changes(engine: Engine) -> None:
    """The mark that a rebuild made before it may be gone by then."""
    learners(engine, 1, 2)
    before = stored_activity(engine)
    execute(engine, "UPDATE user_course_progress SET completed_at = NULL WHERE user_course_id = 2")
    with engine.begin() as connection:
        stale_marks.mark_activity(connection, [2])
    refresh_activity(engine, 500, CUTOFF)
    assert stored_activity(engine) != before
    with engine.begin() as connection:
        assert [each.id for each in repair(connection, [1, 2])] == [2]
    assert marked(engine) == [2]
    refresh_all(engine)
    assert stored_activity(engine) == before


def test_a_transaction_takes_a_fixed_number_of_statements(engine: Engine) -> None:
    learners(engine, *range(1, 101))
    counts = []
    for changed in (1, 100):
        execute(engine, f"INSERT INTO activity_change (user_course_id) SELECT generate_series(1, {changed})")
        with counted_statements(engine) as statements:
            assert refresh_activity(engine, 500, CUTOFF).enrollments == changed
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_chunk_that_takes_too_long_is_tried_in_smaller_pieces(engine: Engine) -> None:
    learners(engine, *range(1, 41))
    execute(
        engine,
        """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$
        """,
        "CREATE TRIGGER slow BEFORE UPDATE ON enrollment_activity FOR EACH ROW EXECUTE FUNCTION slow()",
        "INSERT INTO activity_change (user_course_id) SELECT id FROM user_course",
        f"ALTER DATABASE {engine.url.database} SET statement_timeout = '500ms'",
    )
    hurried = create_engine(engine.url, poolclass=NullPool)
    assert refresh_activity(hurried, 40, CUTOFF).enrollments == 40
    assert marked(engine) == []
