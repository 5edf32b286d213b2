"""Statistics of courses on a real PostgreSQL: only of what changed, as of one instant, and no change is forgotten."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import ProgrammingError

from tests.support.activity import IDLE_CUTOFF
from tests.support.databases import clone_database, drop_database
from tests.support.events import at, completed, enrolled, entries, outlined, viewed
from tests.support.rollups import assert_rollups_equal_model, audited, refresh_activity, refresh_all, stored_statistics
from tests.support.tables import TABLES, execute, insert_as_lms, rows, snapshot
from worker.analytics import statistics_claims
from worker.analytics.rules.completion_statistics import Statistics
from worker.analytics.statistics_refresh import RefreshedStatistics, refresh_course, refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import Event
from worker.database import migrate as migration
from worker.database.engine import open_engine
from worker.embedded.state import Servers
from worker.progress.ingest import ingest
from worker.progress.reference import fold
from worker.settings import Settings
from worker.summary.refresh import refresh_summaries

COURSES = "SELECT course_id, enrollments, started FROM course_statistics ORDER BY course_id"
FAILED = "SELECT DISTINCT course_id, failed_at IS NOT NULL FROM course_change ORDER BY 1, 2"
RULES = AnalysisThresholds()
STUCK = RULES.stuck
LESSONS = "SELECT topic_id, lesson_id FROM lesson_statistics WHERE course_id = 3 ORDER BY topic_id, lesson_id"


@pytest.fixture
def other(settings: Settings) -> Iterator[Engine]:
    """An engine with connections of its own, as another worker has."""
    engine = open_engine(settings)
    yield engine
    engine.dispose()


def record(engine: Engine, *events: Event) -> None:
    """Have the events recorded, and the courses marked that they changed."""
    ingest(engine, entries(events))
    refresh_summaries(engine, 500)
    refresh_activity(engine, 500, IDLE_CUTOFF.total_seconds())


def refresh(engine: Engine) -> RefreshedStatistics:
    return refresh_statistics(engine, 60, RULES)


@contextmanager
def refreshing(engine: Engine, course_id: int) -> Iterator[Connection]:
    """Another run that has computed this course and commits at the end of the block."""
    with engine.begin() as connection:
        assert refresh_course(connection, course_id, 60, STUCK)
        yield connection


def as_of(engine: Engine) -> dict[int, datetime]:
    return dict(rows(engine, "SELECT course_id, as_of FROM course_statistics"))


def marks(engine: Engine) -> list[int]:
    """The courses that are marked, however often: by a summary, and by the activity that follows it."""
    return [key for (key,) in rows(engine, "SELECT DISTINCT course_id FROM course_change ORDER BY course_id")]


def changed(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return statistics_claims.changed_courses(connection, 0)


def clock(engine: Engine) -> datetime:
    now: datetime = rows(engine, "SELECT clock_timestamp()")[0][0]
    return now


# ---- What is refreshed, and what it shows --------------------------------------------------------------------------


def test_only_courses_that_changed_are_computed_again(engine: Engine) -> None:
    record(engine, enrolled(1, course_id=3), enrolled(2, course_id=4))
    assert refresh(engine).courses == 2
    before = as_of(engine)
    record(engine, viewed(1))
    assert refresh(engine).courses == 1
    after = as_of(engine)
    assert (after[3] > before[3], after[4] == before[4]) == (True, True)


def test_when_nothing_changed_nothing_is_written(engine: Engine) -> None:
    record(engine, enrolled(1), viewed(1))
    refresh(engine)
    before = snapshot(engine)
    assert refresh(engine) == RefreshedStatistics(0, [], None)
    assert snapshot(engine) == before


def test_the_oldest_change_comes_first_and_the_oldest_left_is_told(engine: Engine) -> None:
    record(engine, *(enrolled(number, course_id=number) for number in (1, 2, 3)))
    execute(
        engine, "UPDATE course_change SET changed_at = to_timestamp(CASE course_id WHEN 1 THEN 9 ELSE course_id END)"
    )
    left = [refresh_statistics(engine, 60, RULES, go_on=lambda: False).oldest_change_at for _ in range(3)]
    assert [each and each.timestamp() for each in left] == [3, 9, None]


def test_many_marks_of_a_course_are_taken_by_one_computation(engine: Engine) -> None:
    for number in range(4):
        record(engine, enrolled(1), viewed(1, seconds=number))
    assert rows(engine, "SELECT course_id, count(*) FROM course_change GROUP BY course_id") == [(3, 8)]
    assert refresh(engine) == RefreshedStatistics(1, [], None)
    assert marks(engine) == []


def test_a_course_and_its_lessons_are_those_of_the_rules(engine: Engine) -> None:
    events: list[Event] = [
        *(enrolled(number, course_id=3 + number % 2) for number in range(1, 9)),
        outlined(3, [(1, 2), (1, 1), (5, 5)]),
        *(completed(number, 1, lesson, seconds=number) for number in (2, 3, 4, 5) for lesson in (1, 2)),
        *(viewed(number, topic, topic, seconds=number) for number in (2, 6, 7) for topic in (5, 9)),
        completed(4, 5, 5, seconds=30),
    ]
    record(engine, *events)
    refresh_all(engine)
    assert_rollups_equal_model(engine, fold(events))
    assert stored_statistics(engine)[3].course == Statistics(4, 3, 1, Decimal("25.00"), at(30))


def test_halves_of_the_rate_go_up_as_in_the_rules(engine: Engine) -> None:
    execute(engine, "INSERT INTO user_course (id, user_id, course_id) SELECT n, n, 3 FROM generate_series(1, 800) n")
    ingest(engine, entries([outlined(3, [(1, 1)]), completed(800, 1, 1)]))
    refresh_all(engine)
    found = stored_statistics(engine)[3]
    assert found.course.completion_rate == found.lessons[1, 1].completion_rate == Decimal("0.13")


def test_an_outline_that_changes_lists_its_lessons_anew(engine: Engine) -> None:
    record(engine, enrolled(1), completed(1, 1, 1), outlined(3, [(1, 1), (1, 2)]))
    refresh(engine)
    assert rows(engine, LESSONS) == [(1, 1), (1, 2)]
    ingest(engine, entries([outlined(3, [(1, 2), (9, 9)], seconds=1)]))
    refresh(engine)
    assert rows(engine, LESSONS) == [(1, 2), (9, 9)]


def test_a_first_outline_drops_lessons_that_counted_without_it(engine: Engine) -> None:
    record(engine, enrolled(1), completed(1, 7, 7))
    refresh(engine)
    assert rows(engine, LESSONS) == [(7, 7)]
    ingest(engine, entries([outlined(3, [])]))
    refresh(engine)
    assert rows(engine, LESSONS) == []


# ---- When a course is due --------------------------------------------------------------------------------------------


def due(engine: Engine, pause_seconds: float) -> list[int]:
    with engine.connect() as connection:
        return sorted(statistics_claims.changed_courses(connection, pause_seconds))


def test_a_course_is_due_after_a_pause_in_proportion_to_the_work_that_waits(engine: Engine) -> None:
    record(engine, *(enrolled(each, course_id=each) for each in (3, 4)))
    assert due(engine, 300) == [3, 4], "the first time at once"
    refresh(engine)
    execute(engine, "INSERT INTO course_change (course_id) VALUES (3), (4)")
    execute(engine, "UPDATE course_statistics SET enrollments = 2000, as_of = now() - interval '100 s'")
    assert due(engine, 300) == [], "4,000 of 10,000 enrollments: after 120 s"
    assert due(engine, 249) == [3, 4]
    execute(engine, "DELETE FROM course_change WHERE course_id = 4")
    assert due(engine, 300) == [3], "2,000: after 60 s"
    execute(engine, "UPDATE course_statistics SET enrollments = 50000")
    assert (due(engine, 101), due(engine, 99)) == ([], [3]), "never later than the pause"


def test_a_course_that_failed_is_due_after_the_whole_pause(engine: Engine) -> None:
    execute(engine, "INSERT INTO course_change (course_id, failed_at) VALUES (3, now() - interval '100 s')")
    assert (due(engine, 101), due(engine, 99)) == ([], [3])


# ---- As of one instant ---------------------------------------------------------------------------------------------


def test_as_of_is_between_two_readings_of_the_clock(engine: Engine) -> None:
    record(engine, enrolled(1))
    before = clock(engine)
    refresh(engine)
    assert before < as_of(engine)[3] < clock(engine)


def test_what_is_committed_while_a_run_has_begun_is_shown_and_as_of_says_so(engine: Engine, other: Engine) -> None:
    record(engine, enrolled(1))
    with other.begin() as connection:
        connection.execute(text("SELECT"))
        record(engine, viewed(1))
        committed_at = clock(engine)
        refresh_course(connection, 3, 60, STUCK)
    assert rows(engine, COURSES) == [(3, 1, 1)]
    assert as_of(engine)[3] > committed_at


def test_a_change_that_commits_after_the_computation_is_marked_and_shown_by_the_next_run(
    engine: Engine, other: Engine
) -> None:
    record(engine, enrolled(1))
    with refreshing(other, 3):
        record(engine, viewed(1))
        committed_at = clock(engine)
    assert rows(engine, COURSES) == [(3, 1, 0)]
    assert as_of(engine)[3] < committed_at
    assert marks(engine) == [3]
    refresh(engine)
    assert rows(engine, COURSES) == [(3, 1, 1)]


def test_changes_that_commit_between_the_statements_of_a_run_are_not_forgotten(engine: Engine, other: Engine) -> None:
    events: list[Event] = [enrolled(1)]
    record(engine, *events)

    def change(*_: object) -> None:
        events.append(viewed(1, 1, len(events), seconds=len(events)))
        record(engine, events[-1])

    event.listen(other, "before_cursor_execute", change)
    with refreshing(other, 3):
        pass
    assert refresh(engine).courses == 1
    refresh_all(engine)
    assert_rollups_equal_model(engine, fold(events))


# ---- Two at once, crashes, and computations that take too long -----------------------------------------------------


def test_a_course_that_another_run_is_at_is_passed_over_at_once_and_keeps_its_marks(
    engine: Engine, other: Engine
) -> None:
    record(engine, enrolled(1, course_id=3), enrolled(2, course_id=4))
    ingest(engine, entries([viewed(1), viewed(2)]))
    with refreshing(other, 3):
        done = refresh(engine)  # a run that waited would end with lock_timeout
        assert rows(engine, "SELECT id FROM user_course WHERE stale_since IS NOT NULL") == [(1,)]
        assert (done.courses, done.oldest_change_at is None) == (1, False)
        assert marks(engine) == [3]
        assert as_of(engine).keys() == {4}
    assert as_of(engine).keys() == {3, 4}
    assert marks(engine) == []


def test_a_run_that_crashes_leaves_its_marks_and_the_next_does_its_work(engine: Engine, other: Engine) -> None:
    record(engine, enrolled(1), viewed(1))
    before = snapshot(engine)
    with pytest.raises(KeyboardInterrupt), refreshing(other, 3):
        raise KeyboardInterrupt
    assert snapshot(engine) == before
    assert refresh(engine).courses == 1
    assert rows(engine, COURSES) == [(3, 1, 1)]


def test_a_computation_longer_than_allowed_is_told_and_leaves_its_marks(engine: Engine) -> None:
    execute(
        engine,
        "INSERT INTO user_course (id, user_id, course_id) SELECT n, n, 3 FROM generate_series(1, 10000) n",
        "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) SELECT id, 1, 1 FROM user_course",
        "INSERT INTO course_change (course_id) VALUES (3)",
    )
    done = refresh_statistics(engine, 0.001, RULES)
    assert (done.courses, done.failed, done.oldest_change_at is None) == (0, [3], False)
    assert rows(engine, FAILED) == [(3, True)]
    assert rows(engine, COURSES) == []
    done = refresh(engine)
    assert (done.courses, done.failed) == (1, [])
    assert marks(engine) == []
    assert rows(engine, COURSES) == [(3, 10000, 0)]


def test_a_course_that_fails_holds_up_no_other_and_is_tried_after_them(
    engine: Engine, other: Engine, settings: Settings
) -> None:
    known: list[Event] = [enrolled(1, course_id=3), enrolled(2, course_id=4)]
    record(engine, *known)
    refresh(engine)
    record(engine, viewed(1))
    execute(engine, "UPDATE course_change SET changed_at = changed_at - interval '1 h'")
    record(engine, viewed(2))
    assert changed(engine) == [3, 4]
    impatient = open_engine(settings.model_copy(update={"lock_timeout_seconds": 0.2}))
    with other.begin() as holding:
        holding.execute(text("SELECT FROM course_statistics WHERE course_id = 3 FOR UPDATE"))
        done = refresh(impatient)
        assert (done.courses, done.failed, done.oldest_change_at is None) == (1, [3], False)
        assert rows(engine, COURSES) == [(3, 1, 0), (4, 1, 1)]
        assert rows(engine, FAILED) == [(3, True)]

        record(engine, viewed(1, seconds=1), viewed(2, seconds=1))
        assert rows(engine, FAILED) == [(3, False), (3, True), (4, False)]
        assert changed(engine) == [4, 3]
        done = refresh_statistics(impatient, 60, RULES, go_on=lambda: False)
        assert (done.courses, done.failed) == (1, [])
        assert marks(engine) == [3]
    impatient.dispose()
    assert refresh(engine) == RefreshedStatistics(1, [], None)
    assert marks(engine) == []
    refresh_all(engine)
    assert_rollups_equal_model(engine, fold([*known, viewed(1), viewed(2), viewed(1, seconds=1), viewed(2, seconds=1)]))


def test_what_is_wrong_with_all_courses_is_raised_and_marks_none_as_failed(engine: Engine) -> None:
    record(engine, enrolled(1))
    execute(engine, "ALTER TABLE lesson_statistics RENAME TO elsewhere")
    with pytest.raises(ProgrammingError, match="lesson_statistics"):
        refresh(engine)
    assert rows(engine, FAILED) == [(3, False)]


def test_a_computation_has_a_time_limit_of_its_own_and_no_other_statement_does(engine: Engine) -> None:
    shown = "SHOW statement_timeout"
    with engine.begin() as connection:
        refresh_course(connection, 3, 60, STUCK)
        assert connection.scalar(text(shown)) == "1min"
    assert rows(engine, shown) == [("10s",)]


# ---- What an LMS does by SQL ---------------------------------------------------------------------------------------


def test_an_enrollment_that_the_lms_deletes_no_longer_counts(engine: Engine) -> None:
    insert_as_lms(engine, 1, 2, course_id=3)
    ingest(engine, entries([viewed(1)]))
    refresh_all(engine)
    execute(engine, "DELETE FROM user_course WHERE id = 1")
    refresh(engine)
    assert rows(engine, COURSES) == [(3, 1, 0)]
    assert rows(engine, LESSONS) == []


def test_a_deletion_of_many_leaves_one_mark_a_course(engine: Engine) -> None:
    insert_as_lms(engine, 1, 2, 3, course_id=3)
    insert_as_lms(engine, 4, course_id=4)
    refresh_all(engine)
    execute(engine, "DELETE FROM user_course")
    assert marks(engine) == [3, 4]


def test_an_enrollment_that_the_lms_moves_counts_in_its_new_course_alone(engine: Engine) -> None:
    insert_as_lms(engine, 1, 2, course_id=3)
    ingest(engine, entries([viewed(1)]))
    refresh_all(engine)
    execute(engine, "UPDATE user_course SET course_id = 4 WHERE id = 1")
    refresh_all(engine)
    assert rows(engine, COURSES) == [(3, 1, 0), (4, 1, 1)]
    assert audited(engine) == []


def test_an_enrollment_that_an_event_moves_counts_in_its_new_course_alone(engine: Engine) -> None:
    record(engine, enrolled(1, course_id=3), viewed(1))
    refresh(engine)
    record(engine, enrolled(1, course_id=4, seconds=1))
    refresh(engine)
    assert rows(engine, COURSES) == [(3, 0, 0), (4, 1, 1)]


def test_a_move_keeps_the_time_of_an_older_change(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    before = rows(engine, "SELECT stale_since FROM user_course")
    execute(engine, "UPDATE user_course SET course_id = 4")
    assert rows(engine, "SELECT stale_since FROM user_course") == before


def test_an_update_that_moves_nothing_marks_nothing(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    refresh_all(engine)
    execute(engine, "UPDATE user_course SET course_id = course_id, user_id = 9")
    assert marks(engine) == []
    assert rows(engine, "SELECT stale_since FROM user_course") == [(None,)]


@pytest.fixture
def lms_role(engine: Engine) -> Iterator[str]:
    """A role that may read, move and delete enrollments, and has no other right."""
    if rows(engine, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user") != [(True,)]:
        pytest.skip("needs a role that may create roles")
    name = f"lms_{uuid4().hex[:12]}"
    rights = "SELECT, DELETE, UPDATE (course_id)"
    execute(engine, f"CREATE ROLE {name}", f"GRANT {name} TO CURRENT_USER", f"GRANT {rights} ON user_course TO {name}")
    yield name
    execute(engine, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_an_lms_without_any_right_on_our_tables_may_move_and_delete_its_enrollments(
    engine: Engine, lms_role: str
) -> None:
    insert_as_lms(engine, 1, 2, 3, course_id=3)
    ingest(engine, entries([viewed(1), viewed(2), viewed(3)]))
    refresh_all(engine)
    for table in {*TABLES} - {"user_course"}:
        assert rows(engine, f"SELECT has_table_privilege('{lms_role}', '{table}', 'SELECT, INSERT')") == [(False,)]
    execute(
        engine,
        f"SET LOCAL ROLE {lms_role}",
        "UPDATE user_course SET course_id = 4 WHERE id = 1",
        "DELETE FROM user_course WHERE id = 2",
    )
    refresh_all(engine)
    assert rows(engine, COURSES) == [(3, 1, 1), (4, 1, 1)]


@pytest.fixture
def lms(servers: Servers) -> Iterator[Engine]:
    """The worker's engine on a database whose `user_course` an LMS made, with room for no course."""
    name, url = clone_database(servers.database_url, None)
    engine = open_engine(Settings(database_url=url))
    execute(engine, "CREATE TABLE user_course (id int PRIMARY KEY, user_id int, course_id int)")
    migration.migrate(engine)
    yield engine
    engine.dispose()
    drop_database(servers.database_url, name)


def test_enrollments_without_a_course_harm_nothing(lms: Engine) -> None:
    execute(lms, "INSERT INTO user_course VALUES (1, 70, NULL), (2, 70, 3)")
    ingest(lms, entries([viewed(1)]))
    refresh_all(lms)
    assert rows(lms, COURSES) == [(3, 1, 0)]
    execute(lms, "UPDATE user_course SET course_id = CASE id WHEN 1 THEN 3 END")
    refresh_all(lms)
    assert rows(lms, COURSES) == [(3, 1, 1)]
    assert audited(lms) == []
    execute(lms, "DELETE FROM user_course")
    refresh_all(lms)
    assert rows(lms, COURSES) == [(3, 0, 0)]
