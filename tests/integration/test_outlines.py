"""Outlines: the latest one is live, whole and in order."""

from threading import Thread

from sqlalchemy import Engine

from tests.support.events import enrolled, entries, outlined, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.tables import rows, snapshot
from tests.support.wait import wait_until
from worker.progress.ingest import ingest, record_batch
from worker.summary.read import get_summary
from worker.summary.refresh import refresh_summaries

LOW, HIGH = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
LESSONS = "SELECT topic_id, lesson_id, title FROM course_lesson ORDER BY ordinal"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
FIRST = outlined(lessons=[(1, 1, "One"), (1, 2, "Two"), (2, 1, "Three")], seconds=1)
SECOND = outlined(lessons=[(2, 1, "Three"), (1, 1, "Uno"), (9, 9)], seconds=2)


def test_an_outline_is_kept_in_its_order(engine: Engine) -> None:
    ingest(engine, entries([SECOND]))
    assert rows(engine, LESSONS) == [(2, 1, "Three"), (1, 1, "Uno"), (9, 9, None)]


def test_a_later_outline_replaces_the_whole_of_the_earlier(engine: Engine) -> None:
    ingest(engine, entries([FIRST]))
    ingest(engine, entries([SECOND]))
    assert_tables_equal_model(engine, [FIRST, SECOND])


def test_an_earlier_outline_that_comes_late_changes_nothing(engine: Engine) -> None:
    ingest(engine, entries([SECOND]))
    before = snapshot(engine, but=["outline_event"])
    for superseded in (1, 0):
        outcome = ingest(engine, entries([FIRST]))
        assert (outcome.applied, outcome.superseded, outcome.repeated) == (0, superseded, 1 - superseded)
    assert snapshot(engine, but=["outline_event"]) == before


def test_of_two_in_one_batch_the_later_is_live(engine: Engine) -> None:
    ingest(engine, entries([SECOND, FIRST]))
    assert_tables_equal_model(engine, [SECOND, FIRST])


def test_at_the_same_moment_the_one_that_arrived_later_is_live_whatever_its_identity(engine: Engine) -> None:
    low, high = outlined(lessons=[(1, 1)], id=LOW), outlined(lessons=[(2, 2)], id=HIGH)
    first, second = entries([high, low])
    for each in (second, first):  # arrival is the entry's, not the transaction's
        ingest(engine, [each])
    assert rows(engine, LESSONS) == [(1, 1, None)]
    ingest(engine, entries([high]))
    assert rows(engine, LESSONS) == [(1, 1, None)]


def test_at_the_same_moment_the_greater_sequence_is_live_whenever_it_arrived(engine: Engine) -> None:
    ten, nine = outlined(lessons=[(1, 1)], sequence="10"), outlined(lessons=[(2, 2)], sequence=9)
    for event in (ten, nine, outlined(lessons=[(3, 3)])):
        ingest(engine, entries([event]))
    assert rows(engine, LESSONS) == [(1, 1, None)]


def test_an_outline_may_become_empty_and_the_course_stays(engine: Engine) -> None:
    ingest(engine, entries([FIRST]))
    ingest(engine, entries([outlined(seconds=9)]))
    assert rows(engine, LESSONS) == []
    assert rows(engine, "SELECT id FROM course") == [(3,)]


def test_the_version_rises_with_each_outline_that_takes_effect(engine: Engine) -> None:
    for event in (FIRST, FIRST, SECOND, FIRST):
        ingest(engine, entries([event]))
    assert rows(engine, "SELECT version FROM course") == [(2,)]


def test_lessons_that_left_the_outline_keep_their_progress(engine: Engine) -> None:
    ingest(engine, entries([enrolled(), FIRST, viewed(1, 1, 2)]))
    ingest(engine, entries([SECOND]))
    assert rows(engine, "SELECT topic_id, lesson_id FROM user_course_progress") == [(1, 2)]


def test_two_outlines_recorded_at_once_leave_only_the_later_ones_lessons(engine: Engine) -> None:
    """The later waits for the earlier to commit, and must then see the lessons that it has to remove."""
    later = Thread(target=ingest, args=[engine, entries([SECOND])])
    with engine.connect() as connection:
        record_batch(connection, entries([FIRST]))
        later.start()
        wait_until(lambda: rows(engine, WAITING), what="the later outline's wait for the course")
        connection.commit()
    later.join(10)
    assert_tables_equal_model(engine, [FIRST, SECOND])


def test_a_summary_that_is_read_before_its_refresh_has_the_position_by_the_new_outline(engine: Engine) -> None:
    for event in (enrolled(1), viewed(1, 1, 1, id=LOW), viewed(1, 1, 2, id=HIGH), outlined(3, [(1, 2), (1, 1)])):
        ingest(engine, entries([event]))
    summary = get_summary(engine, 1).summary
    assert (summary.current_lesson_id, summary.next_lesson_id) == (1, 1)
    refresh_summaries(engine, 10)
    assert get_summary(engine, 1).summary == summary
    assert rows(engine, "SELECT current_lesson, position_tied FROM user_course") == [(1, True)]
