"""The summary's arithmetic and the next lesson, as pure functions."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.analytics.phrases import NEXT_PHRASES
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.current_lesson import CurrentLesson
from worker.summary.next_lesson import NextLesson, NextReason, next_lesson
from worker.summary.percentage import percentage
from worker.summary.rules import summarize

OUTLINE: list[Lesson] = [(1, 1), (1, 2), (2, 1), (2, 2)]
NO_LESSONS: tuple[list[Lesson] | None, ...] = ([], None)
NOON = datetime(2025, 7, 14, 12, tzinfo=UTC)

lessons = st.tuples(st.integers(1, 3), st.integers(1, 3))
outlines = st.lists(lessons, unique=True, max_size=9)
statuses = st.dictionaries(lessons, st.sampled_from(ProgressStatus))


@pytest.mark.parametrize(
    ("current", "completed", "expected"),
    [
        (None, [], (1, 1)),
        (None, [(1, 1)], (1, 2)),
        ((1, 1), [], (1, 1)),
        ((1, 2), [(1, 1)], (1, 2)),
        ((1, 1), [(1, 1)], (1, 2)),
        ((1, 2), [(1, 1), (1, 2), (2, 1)], (2, 2)),
        ((2, 2), [(2, 2)], (1, 1)),
        ((2, 2), [(1, 1), (2, 1), (2, 2)], (1, 2)),
        ((2, 2), [(1, 1), (1, 2), (2, 1)], (2, 2)),
        ((1, 1), [(1, 2), (2, 1)], (1, 1)),
        ((1, 1), [(1, 1), (1, 2), (2, 1)], (2, 2)),
        ((9, 9), [(1, 1)], (1, 2)),
        ((1, 1), OUTLINE, None),
    ],
    ids=[
        "nothing seen yet",
        "no current lesson",
        "just begun",
        "the current one, opened and not completed",
        "the one after the current, which is just completed",
        "the one after the current",
        "wraps to the first open",
        "wraps to the only open",
        "the last, still open",
        "back at an open one, with all but the last completed after it",
        "re-reading the first lesson sends nobody back",
        "the current lesson left the outline",
        "everything is done",
    ],
)
def test_the_next_lesson(current: Lesson | None, completed: list[Lesson], expected: Lesson | None) -> None:
    assert _lesson(next_lesson(OUTLINE, current, set(completed))) == expected


def _lesson(found: NextLesson | None) -> Lesson | None:
    return None if found is None else (found.topic_id, found.lesson_id)


@given(outlines, st.none() | lessons, st.sets(lessons))
def test_the_next_lesson_is_open_and_the_nearest_one(
    outline: list[Lesson], current: Lesson | None, completed: set[Lesson]
) -> None:
    found = next_lesson(outline, current, completed)
    still_open = [lesson for lesson in outline if lesson not in completed]
    if current in still_open:
        assert found
        assert (_lesson(found), found.reason) == (current, NextReason.CURRENT)
        return
    later = still_open
    if current in outline:
        later = [lesson for lesson in still_open if outline.index(lesson) > outline.index(current)]
    assert _lesson(found) == next(iter(later or still_open), None)
    if found:
        is_after = current in outline and outline.index((found.topic_id, found.lesson_id)) > outline.index(current)
        assert found.reason is (NextReason.AFTER_CURRENT if is_after else NextReason.NOT_COMPLETED)


@pytest.mark.parametrize(
    ("current", "completed", "words"),
    [
        ((1, 2), [(2, 1)], "lesson 2 of topic 1: go on with the current lesson"),
        ((1, 2), [(1, 2), (2, 1)], "lesson 2 of topic 2: first not completed after the current one"),
        ((2, 2), [(1, 1), (2, 2)], "lesson 2 of topic 1: first not completed of the course"),
        (None, [], "lesson 1 of topic 1: first not completed of the course"),
    ],
)
def test_the_next_lesson_says_why(current: Lesson | None, completed: list[Lesson], words: str) -> None:
    found = next_lesson(OUTLINE, current, completed)
    assert found
    assert f"lesson {found.lesson_id} of topic {found.topic_id}: {NEXT_PHRASES[found.reason]}" == words


def test_lessons_outside_the_outline_count_nowhere() -> None:
    rows = {(1, 1): ProgressStatus.COMPLETED, (1, 2): ProgressStatus.IN_PROGRESS, (7, 7): ProgressStatus.COMPLETED}
    summary = summarize(5, OUTLINE, rows, CurrentLesson(1, 2, 3, NOON))
    assert (summary.total_lessons, summary.completed_lessons) == (4, 1)
    assert (summary.in_progress_lessons, summary.not_started_lessons) == (1, 2)
    assert summary.completion_percentage == Decimal("25.00")
    assert (summary.current_topic_id, summary.current_lesson_id, summary.current_section_id) == (1, 2, 3)
    assert (summary.next_topic_id, summary.next_lesson_id, summary.last_activity_at) == (1, 2, NOON)


def test_without_an_outline_the_own_rows_stand_for_it_in_order() -> None:
    rows = {(2, 1): ProgressStatus.COMPLETED, (1, 9): ProgressStatus.NOT_STARTED, (1, 2): ProgressStatus.COMPLETED}
    summary = summarize(5, None, rows, CurrentLesson(1, 2, None, NOON))
    assert (summary.total_lessons, summary.completed_lessons, summary.not_started_lessons) == (3, 2, 1)
    assert summary.completion_percentage == Decimal("66.67")
    assert (summary.next_topic_id, summary.next_lesson_id) == (1, 9)


RESET: dict[Lesson, ProgressStatus] = dict.fromkeys(OUTLINE[:2], ProgressStatus.NOT_STARTED)
DONE: dict[Lesson, ProgressStatus] = dict.fromkeys(OUTLINE, ProgressStatus.COMPLETED)
NOWHERE = (None, None, None)


@pytest.mark.parametrize("outline", [OUTLINE, None])
@pytest.mark.parametrize(
    "place", [CurrentLesson(1, 2, 3, NOON), CurrentLesson(2, 2, None, NOON), CurrentLesson(1, None, 3, NOON)]
)
def test_a_place_whose_lesson_is_not_started_or_has_no_row_counts_as_none(
    place: CurrentLesson, outline: list[Lesson] | None
) -> None:
    summary = summarize(5, outline, RESET, place)
    assert (summary.current_topic_id, summary.current_lesson_id, summary.current_section_id) == NOWHERE
    assert summary.following == NextLesson(1, 1, NextReason.NOT_COMPLETED)
    assert summary.last_activity_at == NOON


def test_a_place_whose_lesson_left_the_outline_is_still_where_the_learner_is() -> None:
    summary = summarize(5, OUTLINE, {(7, 7): ProgressStatus.IN_PROGRESS}, CurrentLesson(7, 7, 3, NOON))
    assert (summary.current_topic_id, summary.current_lesson_id, summary.current_section_id) == (7, 7, 3)
    assert summary.following == NextLesson(1, 1, NextReason.NOT_COMPLETED)


def test_the_course_is_completed_with_every_lesson_of_an_outline_that_has_some() -> None:
    part = DONE | {(2, 2): ProgressStatus.IN_PROGRESS}
    found = [
        summarize(5, outline, rows, CurrentLesson()) for outline, rows in ((OUTLINE, DONE), (OUTLINE, part), ([], DONE))
    ]
    assert [(each.total_is_known, each.has_completed_course) for each in found] == [
        (True, True),
        (True, False),
        (True, False),
    ]


def test_without_an_outline_the_total_is_not_known_and_nobody_has_completed_the_course() -> None:
    summary = summarize(5, None, DONE, CurrentLesson())
    assert (summary.total_is_known, summary.has_completed_course) == (False, False)
    assert (summary.total_lessons, summary.completion_percentage) == (4, Decimal(100))


@pytest.mark.parametrize(
    ("part", "total", "expected"),
    [
        (19_999, 20_000, "99.99"),
        (1, 20_001, "0.01"),
        (1, 10**12, "0.01"),
        (10**12 - 1, 10**12, "99.99"),
        (0, 20_000, "0.00"),
        (20_000, 20_000, "100.00"),
        (0, 0, "0.00"),
    ],
)
def test_only_nothing_is_0_percent_and_only_everything_is_100(part: int, total: int, expected: str) -> None:
    assert str(percentage(part, total)) == expected


def test_an_empty_outline_and_an_untouched_enrollment_are_no_division_by_zero() -> None:
    for outline in NO_LESSONS:
        summary = summarize(5, outline, {}, CurrentLesson())
        assert (summary.total_lessons, summary.completion_percentage) == (0, Decimal(0))
        assert (summary.current_lesson_id, summary.next_lesson_id, summary.last_activity_at) == (None, None, None)


@given(st.none() | outlines, statuses)
def test_the_counts_add_up_and_never_exceed_100_percent(
    outline: list[Lesson] | None, rows: dict[Lesson, ProgressStatus]
) -> None:
    summary = summarize(1, outline, rows, CurrentLesson())
    parts = (summary.completed_lessons, summary.in_progress_lessons, summary.not_started_lessons)
    assert sum(parts) == summary.total_lessons
    assert min(parts) >= 0
    assert 0 <= summary.completion_percentage <= 100
    assert (summary.next_lesson_id is None) == (summary.completed_lessons == summary.total_lessons)
