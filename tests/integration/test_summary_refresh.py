"""Refreshing summaries: oldest change first, past what others hold, and never a mark lost."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import assert_rollups_equal_model, audited, refresh_all, stored_summaries
from tests.support.tables import counted_statements, execute, rows
from tests.support.wait import wait_until
from worker.contract.event import Event
from worker.progress import outlines as outline
from worker.progress.ingest import ingest
from worker.progress.reference import fold
from worker.summary import claims
from worker.summary.read import get_summary
from worker.summary.refresh import refresh_summaries
from worker.summary.statement import compute_summaries

STALE = "SELECT id FROM user_course WHERE stale_since IS NOT NULL ORDER BY id"
STALE_COURSES = "SELECT id FROM course WHERE stale_since IS NOT NULL"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
LESSONS = [(1, 1), (1, 2), (2, 1), (2, 2)]


def never() -> bool:
    """One transaction of each kind is enough."""
    return False


def stale(engine: Engine) -> list[int]:
    return [key for (key,) in rows(engine, STALE)]


def enroll(engine: Engine, *ids: int) -> list[Event]:
    """Enrollments with a lesson each, all summaries current."""
    events: list[Event] = [outlined(3, LESSONS)]
    events += [event for each in ids for event in (enrolled(each), viewed(each, 1, 1))]
    ingest(engine, entries(events))
    refresh_all(engine)
    return events


def change(engine: Engine, *ids: int) -> list[Event]:
    """Each in a transaction of its own, in this order."""
    events: list[Event] = [completed(each, 1, 2, seconds=10) for each in ids]
    for event in events:
        ingest(engine, entries([event]))
    return events


@contextmanager
def holding(engine: Engine, *ids: int) -> Iterator[Connection]:
    """Keep these enrollments locked, as a batch in its transaction does."""
    with engine.connect() as connection:
        connection.execute(text(f"SELECT FROM user_course WHERE id IN {(*ids, 0)} FOR NO KEY UPDATE"))
        yield connection
        connection.rollback()


def test_the_oldest_change_comes_first(engine: Engine) -> None:
    enroll(engine, 1, 2, 3)
    change(engine, 2, 3, 1)
    left = [[1, 3], [1], []]
    for expected in left:
        assert refresh_summaries(engine, 1, never).summaries == 1
        assert stale(engine) == expected


def test_only_what_changed_is_refreshed(engine: Engine) -> None:
    enroll(engine, 1, 2, 3)
    before = dict(rows(engine, "SELECT user_course_id, refreshed_at FROM user_course_summary"))
    change(engine, 2)
    assert refresh_summaries(engine, 500).summaries == 1
    after = dict(rows(engine, "SELECT user_course_id, refreshed_at FROM user_course_summary"))
    assert {key for key in before if after[key] != before[key]} == {2}


def test_what_changes_nothing_marks_nothing(engine: Engine) -> None:
    events = enroll(engine, 1, 2)
    ingest(engine, entries(events))
    assert stale(engine) == []
    assert rows(engine, STALE_COURSES) == []
    assert refresh_summaries(engine, 500).summaries == 0


def test_a_mark_keeps_the_time_of_the_oldest_change(engine: Engine) -> None:
    enroll(engine, 1)
    change(engine, 1)
    first = rows(engine, "SELECT stale_since FROM user_course")
    ingest(engine, entries([viewed(1, 2, 2, seconds=99)]))
    assert rows(engine, "SELECT stale_since FROM user_course") == first


def test_a_late_event_that_moves_no_position_marks_too(engine: Engine) -> None:
    enroll(engine, 1)
    ingest(engine, entries([completed(1, 2, 2, seconds=-50)]))
    assert stale(engine) == [1]
    assert get_summary(engine, 1).summary.completed_lessons == 1


def test_enrollments_that_others_hold_are_passed_over(engine: Engine) -> None:
    enroll(engine, 1, 2, 3)
    change(engine, 1, 2, 3)
    with holding(engine, 1):
        assert refresh_summaries(engine, 500).summaries == 2
        assert stale(engine) == [1]
    assert refresh_summaries(engine, 500).summaries == 1


def test_two_runs_at_once_share_the_work_without_waiting(engine: Engine) -> None:
    enroll(engine, *range(1, 7))
    change(engine, *range(1, 7))
    with engine.begin() as connection:
        first = claims.claim_changed(connection, 2)
        outline.hold_outlines(connection)
        compute_summaries(connection, first)
        assert first == [1, 2]
        assert refresh_summaries(engine, 2).summaries == 4
    assert stale(engine) == []
    assert audited(engine) == []


def test_a_run_that_dies_in_its_transaction_leaves_everything_to_the_next(engine: Engine) -> None:
    events = enroll(engine, 1, 2)
    events += change(engine, 1, 2)
    with engine.connect() as connection:
        compute_summaries(connection, claims.claim_changed(connection, 500))
        connection.rollback()
    assert stale(engine) == [1, 2]
    refresh_all(engine)
    assert_rollups_equal_model(engine, fold(events))


def test_an_event_recorded_while_a_run_is_in_its_transaction_is_not_lost(engine: Engine) -> None:
    events = enroll(engine, 1)
    events += change(engine, 1)
    late = entries([viewed(1, 2, 2, seconds=50)])
    with engine.begin() as connection:
        ids = claims.claim_changed(connection, 500)
        deferred = ingest(engine, late).deferred
        assert deferred == [(late[0], ("enrollment", 1))], "the run's enrollment is passed over"
        compute_summaries(connection, ids)
    ingest(engine, late)
    assert stale(engine) == [1]
    assert get_summary(engine, 1).summary.current_lesson_id == 2
    refresh_all(engine)
    assert_rollups_equal_model(engine, fold([*events, viewed(1, 2, 2, seconds=50)]))


@pytest.mark.parametrize("first", [True, False], ids=["the course's first outline", "another outline"])
def test_an_outline_that_comes_while_a_run_is_in_its_transaction_is_not_lost(engine: Engine, first: bool) -> None:
    """The run's summaries are of the older outline, and nobody else can see them yet."""
    events: list[Event] = [enrolled(1), completed(1, 1, 2)]
    events += [] if first else [outlined(3, LESSONS)]
    ingest(engine, entries(events))
    newer = outlined(3, [(1, 2), (9, 9)], seconds=9)

    def outline_and_refresh() -> None:
        ingest(engine, entries([newer]))
        refresh_summaries(engine, 500)

    recording = Thread(target=outline_and_refresh)
    with engine.begin() as connection:
        ids = claims.claim_changed(connection, 500)
        outline.hold_outlines(connection)
        compute_summaries(connection, ids)
        recording.start()
        wait_until(lambda: rows(engine, WAITING), what="the outline's wait for the run")
    recording.join(10)
    refresh_all(engine)
    assert_rollups_equal_model(engine, fold([*events, newer]))


def test_an_outline_writes_no_enrollment_and_makes_only_its_courses_summaries_stale(engine: Engine) -> None:
    ingest(engine, entries([outlined(3, LESSONS), outlined(4, LESSONS), enrolled(1), enrolled(2, course_id=4)]))
    refresh_all(engine)
    written = "SELECT xmin::text FROM user_course ORDER BY id"
    before = rows(engine, written)
    ingest(engine, entries([outlined(3, LESSONS[:2], seconds=9)]))
    assert rows(engine, written) == before
    assert rows(engine, STALE_COURSES) == [(3,)]
    assert get_summary(engine, 1).summary.total_lessons == 2
    assert refresh_summaries(engine, 500).summaries == 1
    assert rows(engine, STALE_COURSES) == []


def test_a_course_stays_stale_while_somebody_holds_one_of_its_enrollments(engine: Engine) -> None:
    enroll(engine, 1, 2)
    ingest(engine, entries([outlined(3, LESSONS[1:], seconds=9)]))
    with holding(engine, 2):
        assert refresh_summaries(engine, 500).summaries == 1
        assert rows(engine, STALE_COURSES) == [(3,)]
    assert refresh_summaries(engine, 500).summaries == 1
    assert rows(engine, STALE_COURSES) == []
    assert audited(engine) == []


def test_lessons_added_removed_reordered_and_restored_leave_right_percentages(engine: Engine) -> None:
    chance = random.Random(5)
    events: list[Event] = [enrolled(each) for each in range(1, 9)]
    makers: list[Callable[..., Event]] = [viewed, completed]
    events += [
        chance.choice(makers)(each, *chance.choice(LESSONS), seconds=number)
        for number, each in enumerate(chance.choices(range(1, 9), k=60))
    ]
    ingest(engine, entries(events))
    outlines = [LESSONS, LESSONS[:2], [], [*LESSONS, (7, 7)], LESSONS[::-1], LESSONS[2:], LESSONS]
    for number, lessons in enumerate(outlines):
        events.append(outlined(3, lessons, seconds=100 + number))
        ingest(engine, entries(events[-1:]))
        assert all(0 <= get_summary(engine, each).summary.completion_percentage <= 100 for each in range(1, 9))
        refresh_all(engine)
        assert_rollups_equal_model(engine, fold(events))
        assert all(0 <= each.completion_percentage <= 100 for each in stored_summaries(engine).values())


def test_a_change_that_waited_very_long_is_waited_for(engine: Engine) -> None:
    """A busy enrollment is locked whenever somebody looks; sooner or later a run waits until it is free."""
    enroll(engine, 1, 2)
    change(engine, 1)
    execute(engine, "UPDATE user_course SET stale_since = now() - interval '2 min' WHERE id = 1")
    run = Thread(target=refresh_summaries, args=[engine, 1, never])
    with holding(engine, 1):
        run.start()
        wait_until(lambda: rows(engine, WAITING), what="the run's wait for the enrollment")
    run.join(10)
    assert stale(engine) == []


def test_one_that_is_locked_for_very_long_holds_up_nobody_else(engine: Engine) -> None:
    enroll(engine, 1, 2, 3)
    change(engine, 1, 2, 3)
    execute(engine, "UPDATE user_course SET stale_since = now() - interval '2 min' WHERE id < 3")
    with holding(engine, 1):
        assert refresh_summaries(engine, 500).summaries == 2
        assert stale(engine) == [1]


def test_with_less_capacity_than_arrivals_no_change_waits_for_ever(engine: Engine) -> None:
    """Three summaries a run against eight changes a run on thirty enrollments, a few of them changing all the time."""
    learners, capacity, arrivals, runs = 30, 3, 8, 60
    chance = random.Random(11)
    enroll(engine, *range(1, learners + 1))
    busy = [1, 2, 3, *range(1, learners + 1)]
    waited: dict[int, int] = {}
    longest = most = number = 0
    for run in range(runs):
        changed = chance.choices(busy, k=arrivals)
        for each in changed:
            number += 1
            ingest(engine, entries([viewed(each, 1, 1, seconds=100 + number)]))
        before = set(stale(engine))
        assert refresh_summaries(engine, capacity, never).summaries == capacity
        after = set(stale(engine))
        for each in before - after:
            longest = max(longest, run - waited.pop(each, run) + 1)
        for each in after:
            waited.setdefault(each, run)
        most = max(most, len(after))
    assert most > learners / 2, "the capacity was enough: nothing was tested"
    assert longest <= -(-learners // capacity), "somebody waited longer than one turn of everybody"
    refresh_all(engine)
    assert audited(engine) == []


def test_a_transaction_takes_a_fixed_number_of_statements(engine: Engine) -> None:
    enroll(engine, *range(1, 301))
    counts = []
    for changed in (1, 300):
        execute(engine, f"UPDATE user_course SET stale_since = now() WHERE id <= {changed}")
        with counted_statements(engine) as statements:
            assert refresh_summaries(engine, 500).summaries == changed
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_chunk_that_takes_too_long_is_tried_in_smaller_pieces(engine: Engine) -> None:
    """A trigger stands in for the rows of thousands of lessons: each summary takes a while."""
    enroll(engine, *range(1, 41))
    execute(
        engine,
        """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$
        """,
        "CREATE TRIGGER slow BEFORE UPDATE ON user_course_summary FOR EACH ROW EXECUTE FUNCTION slow()",
        "UPDATE user_course SET stale_since = now()",
        f"ALTER DATABASE {engine.url.database} SET statement_timeout = '400ms'",
    )
    hurried = create_engine(engine.url, poolclass=NullPool)
    assert refresh_summaries(hurried, 40).summaries == 40
    assert stale(engine) == []


def test_courses_without_enrollments_are_settled_all_at_once(engine: Engine) -> None:
    ingest(engine, entries(outlined(course_id, LESSONS) for course_id in range(1, 201)))
    with counted_statements(engine) as statements:
        refresh_summaries(engine, 500, never)
    assert rows(engine, STALE_COURSES) == []
    assert len(statements) < 40


def test_rows_that_an_lms_makes_and_takes_back_mark_their_enrollment(engine: Engine) -> None:
    """Without an outline they count; the marks lock nothing that the LMS's statement does not."""
    ingest(engine, entries([enrolled(1, course_id=5), completed(1, 1, 1), enrolled(2, course_id=5)]))
    refresh_all(engine)
    with holding(engine, 1):
        execute(
            engine,
            "SET LOCAL lock_timeout = '1s'",
            "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 1, 2), (1, 1, 3)",
        )
        assert get_summary(engine, 1).summary.total_lessons == 3
    assert refresh_summaries(engine, 500).summaries == 1
    assert stored_summaries(engine)[1].total_lessons == 3
    execute(
        engine,
        "DELETE FROM user_course_progress WHERE lesson_id = 2",
        "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 1, 7)",
    )
    assert get_summary(engine, 1).summary.next_lesson_id == 3
    refresh_all(engine)
    assert audited(engine) == []
    execute(engine, "UPDATE user_course_summary SET total_lessons = 77 WHERE user_course_id = 1")
    assert [each.key for each in audited(engine)] == [(1,)], "what was made ahead hides nothing from an audit"


def test_marks_go_with_their_enrollment(engine: Engine) -> None:
    ingest(engine, entries([enrolled(1)]))
    execute(
        engine,
        "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 1, 2)",
        "DELETE FROM user_course",
    )
    assert rows(engine, "SELECT count(*) FROM enrollment_change") == [(0,)]


def test_a_current_lesson_that_an_lms_sets_itself_is_shown_once_it_is_started(engine: Engine) -> None:
    ingest(engine, entries([outlined(3, LESSONS), enrolled(1)]))
    refresh_all(engine)
    execute(engine, "UPDATE user_course SET current_topic = 1, current_lesson = 2, current_section = 4")
    row = "user_course_progress (user_course_id, topic_id, lesson_id"
    steps = [
        (f"INSERT INTO {row}) VALUES (1, 2, 2)", None, 1),
        (f"INSERT INTO {row}) VALUES (1, 1, 2)", None, 1),
        ("UPDATE user_course_progress SET status = 'in_progress' WHERE topic_id = 1", 4, 2),
        ("UPDATE user_course_progress SET status = 'completed' WHERE topic_id = 1", 4, 1),
    ]
    for statement, section_id, next_lesson_id in steps:
        execute(engine, statement, "UPDATE user_course SET stale_since = now()")
        read = get_summary(engine, 1).summary
        assert (read.current_section_id, read.next_lesson_id) == (section_id, next_lesson_id)
        refresh_all(engine)
        assert stored_summaries(engine)[1] == read
