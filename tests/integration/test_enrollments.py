"""Enrollments: the latest event rules those that events made; the LMS's own rows stay the LMS's."""

import pytest
from sqlalchemy import Engine

from tests.support.events import enrolled, entries, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.tables import execute, insert_as_lms, rows, snapshot
from worker.contract.entry import Reason
from worker.contract.event import EnrollmentCreated, Event
from worker.progress.ingest import ingest

OWNED = "SELECT user_id, course_id, timezone, enrolled_at FROM user_course"
LOW, HIGH = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
EARLY = enrolled(user_id=8, course_id=1, timezone="Asia/Tokyo", seconds=1)
LATE = enrolled(user_id=8, course_id=2, timezone=None, seconds=2)


@pytest.mark.parametrize("order", [[EARLY, LATE], [LATE, EARLY]], ids=["in order", "late one first"])
def test_the_latest_enrollment_wins_in_one_batch_and_in_two(engine: Engine, order: list[EnrollmentCreated]) -> None:
    ingest(engine, entries(order))
    assert rows(engine, OWNED) == [(8, 2, LATE.data.timezone, LATE.time)]
    execute(engine, "DELETE FROM user_course")
    for event in order:
        ingest(engine, entries([event]))
    assert rows(engine, OWNED) == [(8, 2, LATE.data.timezone, LATE.time)]


def test_at_the_same_moment_the_one_that_arrived_later_wins_whatever_its_identity(engine: Engine) -> None:
    low, high = enrolled(course_id=8, id=LOW), enrolled(course_id=9, id=HIGH)
    for order in ([low, high], [high, low]):
        for event in order:
            ingest(engine, entries([event]))
        assert_tables_equal_model(engine, order)
        assert rows(engine, OWNED)[0][1] == order[-1].data.course_id
        execute(engine, "DELETE FROM user_course")


def test_an_enrollment_of_another_user_is_set_aside_in_one_batch_and_in_two(engine: Engine) -> None:
    other = enrolled(user_id=9, course_id=5, seconds=3)
    ways: list[list[list[Event]]] = [[[EARLY, other, viewed()]], [[EARLY], [other], [viewed()]]]
    for batches in ways:
        letters = [letter.reason for batch in batches for letter in ingest(engine, entries(batch)).dead_letters]
        assert letters == [Reason.ENROLLMENT_CONFLICT]
        assert rows(engine, OWNED) == [(8, 1, "Asia/Tokyo", EARLY.time)]
        execute(engine, "DELETE FROM user_course", "DELETE FROM dead_letter")


def test_only_what_is_new_counts_as_enrolled(engine: Engine) -> None:
    assert ingest(engine, entries([enrolled(1), enrolled(2)])).enrolled == [1, 2]
    assert ingest(engine, entries([enrolled(2, seconds=5), enrolled(3)])).enrolled == [3]


def test_a_row_of_the_lms_keeps_its_user_and_course(engine: Engine) -> None:
    insert_as_lms(engine, 1, user_id=70, course_id=30)
    told = ["dead_letter", "enrollment_event", "activity_change"]  # its time zone rules from its time on
    before = snapshot(engine, but=told)
    assert ingest(engine, entries([enrolled(1, user_id=70, course_id=1, timezone="UTC", seconds=99)])).superseded == 1
    assert snapshot(engine, but=told) == before
    (letter,) = ingest(engine, entries([enrolled(1, user_id=8, course_id=1, timezone="UTC", seconds=99)])).dead_letters
    assert letter.reason is Reason.ENROLLMENT_CONFLICT
    assert snapshot(engine, but=told) == before


def test_a_row_of_the_lms_gets_its_position_and_progress_from_events(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    event = viewed(1, 2, 3, section_id=4)
    ingest(engine, entries([event]))
    assert_tables_equal_model(engine, [event], lms_rows={1: (70, 30)})


def test_an_enrollment_that_changes_keeps_position_and_progress(engine: Engine) -> None:
    ingest(engine, entries([EARLY, viewed(1, 2, 3)]))
    ingest(engine, entries([LATE]))
    assert rows(engine, "SELECT course_id, current_topic FROM user_course") == [(2, 2)]
    assert rows(engine, "SELECT count(*) FROM user_course_progress") == [(1,)]


@pytest.mark.parametrize(
    "deletion",
    [
        "DELETE FROM user_course WHERE id IN (1, 3)",
        "TRUNCATE user_course CASCADE",
        "TRUNCATE user_course, lesson_event CASCADE",
    ],
)
def test_the_ledger_goes_with_its_enrollment(engine: Engine, deletion: str) -> None:
    ingest(
        engine,
        entries([*(enrolled(n) for n in (1, 2, 3)), *(viewed(n, 1, lesson) for n in (1, 2, 3) for lesson in (1, 2))]),
    )
    execute(engine, deletion)
    left = rows(engine, "SELECT id FROM user_course")
    assert left == ([(2,)] if "WHERE" in deletion else [])
    assert rows(engine, "SELECT DISTINCT user_course_id FROM lesson_event") == left
