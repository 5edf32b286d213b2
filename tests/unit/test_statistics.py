"""The definitions of a course's statistics, one sentence each."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from tests.support.events import at, completed, corrected, enrolled, outlined, viewed
from worker.analytics.rules.completion_statistics import Statistics, Tally, tallies
from worker.contract.event import Event
from worker.contract.lesson import Lesson
from worker.progress.reference import fold

OUTLINE = outlined(3, [(1, 1), (1, 2)])
NOBODY = Statistics(0, 0, 0, Decimal("0.00"), None)


def tally(*events: Event) -> Tally:
    """Course 3 after the events."""
    return tallies(fold(events)).get(3, Tally(None))


def course(*events: Event) -> Statistics:
    return tally(*events).course()


def lessons(*events: Event) -> Mapping[Lesson, Statistics]:
    return tally(*events).lessons()


def test_everybody_in_the_course_counts_also_without_any_event() -> None:
    assert course(OUTLINE, enrolled(1), enrolled(2)) == Statistics(2, 0, 0, Decimal("0.00"), None)


def test_a_course_is_started_with_its_first_lesson_and_once_by_each() -> None:
    assert course(OUTLINE, enrolled(1), enrolled(2), viewed(1, 1, 1), viewed(1, 1, 2)).started == 1


def test_a_course_is_completed_when_all_of_its_lessons_are() -> None:
    first, second = completed(1, 1, 1), completed(1, 1, 2)
    assert course(OUTLINE, enrolled(1), first).completed == 0
    assert course(OUTLINE, enrolled(1), first, second).completed == 1


def test_who_completed_the_course_has_started_it_too() -> None:
    assert course(OUTLINE, enrolled(1), completed(1, 1, 1), completed(1, 1, 2)).started == 1


def test_a_lesson_is_started_when_it_is_in_progress_or_completed() -> None:
    events: list[Event] = [
        OUTLINE,
        enrolled(1),
        enrolled(2),
        enrolled(3),
        viewed(1, 1, 1),
        completed(2, 1, 1),
        corrected(3, 1, 1),
    ]
    lesson = lessons(*events)[1, 1]
    assert (lesson.enrollments, lesson.started, lesson.completed) == (3, 2, 1)


def test_a_lesson_that_was_taken_back_is_not_started_nor_is_its_course() -> None:
    events: list[Event] = [OUTLINE, enrolled(1), completed(1, 1, 1), corrected(1, 1, 1, seconds=1)]
    assert lessons(*events)[1, 1].started == 0
    assert course(*events).started == 0


def test_a_lesson_of_the_outline_counts_before_anybody_saw_it() -> None:
    assert lessons(OUTLINE, enrolled(1)) == dict.fromkeys([(1, 1), (1, 2)], Statistics(1, 0, 0, Decimal("0.00"), None))


@pytest.mark.parametrize(
    ("done", "enrollments", "rate"),
    [(1, 3, "33.33"), (2, 3, "66.67"), (1, 800, "0.13"), (3, 3, "100.00")],
)
def test_the_rate_has_two_decimals_and_halves_go_up(done: int, enrollments: int, rate: str) -> None:
    events: list[Event] = [outlined(3, [(1, 1)]), *(enrolled(number) for number in range(1, enrollments + 1))]
    found = tally(*events, *(completed(number, 1, 1) for number in range(1, done + 1)))
    assert str(found.course().completion_rate) == rate
    assert str(found.lessons()[1, 1].completion_rate) == rate


def test_with_an_empty_outline_nobody_starts_or_completes_anything() -> None:
    events: list[Event] = [outlined(3, []), enrolled(1), completed(1, 1, 1)]
    assert (course(*events).started, course(*events).completed) == (0, 0)
    assert lessons(*events) == {}


def test_without_an_outline_each_lesson_counts_that_has_a_row() -> None:
    events: list[Event] = [enrolled(1), enrolled(2), completed(1, 1, 1), viewed(2, 9, 9)]
    assert {lesson: (each.started, each.completed) for lesson, each in lessons(*events).items()} == {
        (1, 1): (1, 1),
        (9, 9): (1, 0),
    }


def test_without_an_outline_nobody_has_completed_the_course() -> None:
    found = course(enrolled(1), enrolled(2), completed(1, 1, 1), completed(2, 9, 9))
    assert (found.started, found.completed, found.completion_rate) == (2, 0, Decimal("0.00"))


def test_without_an_outline_who_has_no_row_has_completed_nothing() -> None:
    assert course(enrolled(1)) == Statistics(1, 0, 0, Decimal("0.00"), None)


def test_a_lesson_outside_the_outline_counts_nowhere() -> None:
    events: list[Event] = [OUTLINE, enrolled(1), completed(1, 9, 9)]
    assert (course(*events).started, course(*events).completed) == (0, 0)
    assert lessons(*events).keys() == {(1, 1), (1, 2)}


def test_the_last_activity_of_a_course_is_the_latest_lesson_event_of_anybody_anywhere() -> None:
    events: list[Event] = [OUTLINE, enrolled(1), enrolled(2), viewed(1, 1, 1, seconds=5), viewed(2, 9, 9, seconds=7)]
    assert course(*events).last_activity_at == at(7)


def test_the_last_activity_of_a_lesson_is_its_own() -> None:
    events: list[Event] = [OUTLINE, enrolled(1), enrolled(2), viewed(1, 1, 1, seconds=5), completed(2, 1, 1, seconds=3)]
    found = lessons(*events, viewed(2, 1, 2, seconds=9))
    assert (found[1, 1].last_activity_at, found[1, 2].last_activity_at) == (at(5), at(9))


def test_a_correction_is_no_activity_of_the_course() -> None:
    assert course(OUTLINE, enrolled(1), corrected(1, 1, 1, status="completed", seconds=9)).last_activity_at is None


def test_without_enrollments_everything_is_zero() -> None:
    assert course(OUTLINE) == NOBODY
    assert lessons(OUTLINE) == {(1, 1): NOBODY, (1, 2): NOBODY}
    assert (course(), lessons()) == (NOBODY, {})
