"""What is an achievement and when it is earned, one sentence each."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from tests.support.events import completed as completion
from tests.support.events import corrected, viewed
from tests.support.learners import NOW, ago, completed, started
from tests.support.zones import only
from worker.analytics.rules.achievements import Achievement, AchievementKind, achievements
from worker.analytics.rules.learner_history import History, LessonHistory
from worker.contract.event import LedgerEvent
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import lesson_progress

OUTLINE = [(2, 1), (1, 1), (2, 2)]
FIRST_LESSON, TOPIC, COURSE, STREAK_7, STREAK_30 = AchievementKind
CREDITED = LessonHistory(ProgressStatus.COMPLETED)
"""Set by hand, without a moment."""
MONDAY = date(2025, 7, 14)


def earned(history: History, outline: list[Lesson] | None = OUTLINE) -> list[tuple[AchievementKind, int | None]]:
    return [(each.kind, each.topic_id) for each in found(history, outline)]


def found(history: History, outline: list[Lesson] | None = OUTLINE) -> list[Achievement]:
    return achievements(history, outline, [], zones=only(None), grace_weekends=False)


def recorded(*events: LedgerEvent) -> History:
    """Lesson 1 of topic 1 after the events."""
    progress = lesson_progress(events)
    return {(1, 1): LessonHistory(progress.status, progress.completed_at)}


def streaks(days: Iterable[date], *, grace_weekends: bool = False) -> list[Achievement]:
    return achievements({}, None, days, zones=only(None), grace_weekends=grace_weekends)


def in_a_row(length: int, first: date = MONDAY) -> list[date]:
    return [first + timedelta(days=more) for more in range(length)]


def test_nothing_is_achieved_by_a_start() -> None:
    assert found({}) == found({(1, 1): started(NOW)}) == []


def test_the_first_lesson_is_earned_at_the_earliest_completion_of_any_lesson() -> None:
    history = {(2, 1): completed(ago(days=1)), (9, 9): completed(ago(days=2)), (2, 2): started(ago(days=3))}
    assert found(history) == [Achievement(FIRST_LESSON, ago(days=2).date(), ago(days=2))]


def test_a_topic_is_earned_with_the_last_of_its_lessons_and_the_course_with_the_last_of_all() -> None:
    history = {(2, 1): completed(ago(days=3)), (2, 2): completed(ago(days=2)), (1, 1): completed(ago(days=1))}
    assert found(history) == [
        Achievement(FIRST_LESSON, ago(days=3).date(), ago(days=3)),
        Achievement(TOPIC, ago(days=2).date(), ago(days=2), topic_id=2),
        Achievement(TOPIC, ago(days=1).date(), ago(days=1), topic_id=1),
        Achievement(COURSE, ago(days=1).date(), ago(days=1)),
    ]


@pytest.mark.parametrize("missing", [{}, {(2, 2): started(NOW)}, {(2, 2): LessonHistory()}])
def test_a_topic_needs_all_of_its_lessons(missing: dict[Lesson, LessonHistory]) -> None:
    assert earned({(2, 1): completed(NOW), **missing}) == [(FIRST_LESSON, None)]


def test_what_left_the_outline_is_not_needed() -> None:
    assert earned({(2, 1): completed(NOW), (2, 2): started(NOW)}, [(2, 1)]) == [
        (FIRST_LESSON, None),
        (TOPIC, 2),
        (COURSE, None),
    ]


@pytest.mark.parametrize("outline", [None, []])
def test_without_lessons_to_complete_no_topic_and_no_course_is_complete(outline: list[Lesson] | None) -> None:
    assert earned({(2, 1): completed(NOW)}, outline) == [(FIRST_LESSON, None)]


def test_a_completion_taken_back_takes_away_what_it_earned() -> None:
    done = {lesson: completed(NOW) for lesson in OUTLINE}
    taken_back = LessonHistory(ProgressStatus.NOT_STARTED, completed_at=NOW)
    assert earned(done | {(1, 1): taken_back}) == [(FIRST_LESSON, None), (TOPIC, 2)]
    assert earned(dict.fromkeys(OUTLINE, taken_back)) == []


def test_a_correction_takes_away_whenever_it_comes() -> None:
    done: list[LedgerEvent] = [viewed(seconds=1), completion(seconds=2)]
    assert earned(recorded(*done), [(1, 1)]) == [(FIRST_LESSON, None), (TOPIC, 1), (COURSE, None)]
    for events in permutations([*done, corrected(seconds=9)]):
        assert earned(recorded(*events), [(1, 1)]) == []


def test_a_completion_without_a_moment_earns_at_no_known_moment() -> None:
    assert found({(1, 1): CREDITED}) == [Achievement(FIRST_LESSON, None), Achievement(TOPIC, None, topic_id=1)]
    assert found({(2, 1): completed(NOW), (2, 2): CREDITED}) == [
        Achievement(FIRST_LESSON, NOW.date(), NOW),
        Achievement(TOPIC, None, topic_id=2),
    ]


def test_the_date_is_the_learners_own() -> None:
    night = datetime(2025, 7, 14, 22, 30, tzinfo=UTC)
    first, *_ = achievements({(1, 1): completed(night)}, None, [], zones=only("Europe/Berlin"), grace_weekends=False)
    assert first == Achievement(FIRST_LESSON, date(2025, 7, 15), night)


@pytest.mark.parametrize(("length", "kinds"), [(6, []), (7, [STREAK_7]), (29, [STREAK_7]), (30, [STREAK_7, STREAK_30])])
def test_streaks_of_7_and_of_30_days(length: int, kinds: list[AchievementKind]) -> None:
    assert [each.kind for each in streaks(in_a_row(length))] == kinds


def test_a_streak_is_earned_on_its_last_day_needed_and_stays_when_it_breaks() -> None:
    later = in_a_row(30, MONDAY + timedelta(days=9))
    assert streaks([*later, *in_a_row(8)]) == [
        Achievement(STREAK_7, MONDAY + timedelta(days=6)),
        Achievement(STREAK_30, later[-1]),
    ]


def test_a_broken_streak_does_not_add_up() -> None:
    assert streaks([*in_a_row(6), *in_a_row(6, MONDAY + timedelta(days=7))]) == []


def test_with_grace_weekends_do_not_break_a_streak() -> None:
    weekdays = [day for day in in_a_row(9) if day.weekday() < 5]
    assert streaks(weekdays, grace_weekends=True) == [Achievement(STREAK_7, MONDAY + timedelta(days=8))]
    assert streaks(weekdays) == []
