"""When a learner is stuck and a lesson is a blocker, one sentence each."""

from datetime import datetime

import pytest

from tests.support.learners import NOW, ago, completed, started
from worker.analytics.phrases import lesson_phrase
from worker.analytics.rules.learner_history import History, LessonHistory
from worker.analytics.rules.reasons import Reason, Rule
from worker.analytics.rules.stuck import Stuck, StuckThresholds, drop_off, stopped_at, stuck
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus

OUTLINE = [(2, 1), (1, 1), (2, 2)]
MEDIANS = dict.fromkeys(OUTLINE, 100.0)
MANY_VISITS = Reason(Rule.MANY_VISITS, visits=4)
LONG_TIME = Reason(Rule.LONG_TIME, seconds=1860, median_seconds=900, median_factor=2)
OFTEN = started(ago(days=2), visits=3)


def lessons(history: History, medians: dict[Lesson, float] = MEDIANS, *, visits: int = 3) -> list[Lesson]:
    return [(each.topic_id, each.lesson_id) for each in stuck(history, OUTLINE, medians, StuckThresholds(visits, 2))]


@pytest.mark.parametrize(
    ("visits", "seconds", "expected"),
    [(2, 200, False), (3, 0, True), (4, 0, True), (1, 201, True), (3, 201, True)],
    ids=["neither", "often enough", "oftener", "longer than twice the median", "both"],
)
def test_stuck_is_who_came_often_or_stayed_long(visits: int, seconds: int, expected: bool) -> None:
    assert lessons({(1, 1): started(NOW, visits=visits, seconds=seconds)}) == [(1, 1)] * expected


@pytest.mark.parametrize("medians", [{}, {(1, 1): 0.0}], ids=["none", "zero"])
def test_without_a_median_no_time_is_long(medians: dict[Lesson, float]) -> None:
    assert lessons({(1, 1): started(NOW, seconds=86_400)}, medians) == []
    assert lessons({(1, 1): OFTEN}, medians) == [(1, 1)]


@pytest.mark.parametrize("status", [ProgressStatus.NOT_STARTED, ProgressStatus.COMPLETED])
def test_only_a_lesson_in_progress_holds_anybody(status: ProgressStatus) -> None:
    assert lessons({(1, 1): LessonHistory(status, visits=9, seconds=900, first_visit_at=NOW)}) == []


def test_a_lesson_started_by_hand_and_never_visited_holds_nobody() -> None:
    assert lessons({(1, 1): LessonHistory(ProgressStatus.IN_PROGRESS)}, visits=0) == []


@pytest.mark.parametrize(
    ("other", "at", "expected"),
    [
        ((2, 2), ago(days=1), False),
        ((2, 2), ago(days=2), False),
        ((2, 2), ago(days=3), True),
        ((2, 1), ago(days=1), True),
        ((9, 9), ago(days=1), True),
    ],
    ids=["later since", "later at its first visit", "later but before", "earlier in the outline", "outside of it"],
)
def test_who_completed_something_later_since_then_has_gone_on(other: Lesson, at: datetime, expected: bool) -> None:
    assert lessons({(1, 1): OFTEN, other: completed(at)}) == [(1, 1)] * expected


def test_a_start_or_a_completion_at_no_known_moment_is_no_going_on() -> None:
    assert lessons({(1, 1): OFTEN, (2, 2): started(NOW)}) == [(1, 1)]
    assert lessons({(1, 1): OFTEN, (2, 2): LessonHistory(ProgressStatus.COMPLETED)}) == [(1, 1)]
    taken_back = LessonHistory(ProgressStatus.IN_PROGRESS, completed_at=NOW)
    assert lessons({(1, 1): OFTEN, (2, 2): taken_back}) == [(1, 1)]


def test_the_latest_completion_of_all_later_lessons_tells() -> None:
    history = {(2, 1): OFTEN, (1, 1): completed(ago(days=3)), (2, 2): completed(ago(days=1))}
    assert lessons(history) == []
    assert lessons(history | {(1, 1): completed(ago(days=1)), (2, 2): completed(ago(days=3))}) == []


def test_lessons_come_in_outline_order_and_those_outside_count_nowhere() -> None:
    assert lessons(dict.fromkeys([(9, 9), (2, 2), (1, 1), (2, 1)], OFTEN)) == OUTLINE


@pytest.mark.parametrize(
    ("visits", "seconds", "reasons", "effort"),
    [
        (4, 60, (MANY_VISITS,), "4 visits"),
        (2, 1860, (LONG_TIME,), "31.0 min, more than 2 times the median of 15.0 min"),
        (4, 1860, (MANY_VISITS, LONG_TIME), "4 visits and 31.0 min, more than 2 times the median of 15.0 min"),
    ],
)
def test_the_reason_names_the_figures(visits: int, seconds: int, reasons: tuple[Reason, ...], effort: str) -> None:
    history = {(1, 1): started(NOW, visits=visits, seconds=seconds)}
    (found,) = stuck(history, OUTLINE, {(1, 1): 900}, AnalysisThresholds().stuck)
    assert found == Stuck(1, 1, reasons)
    assert lesson_phrase(found) == f"not completed after {effort}, nor any later lesson since the first visit"


def test_both_limits_can_be_set() -> None:
    history = {(1, 1): started(NOW, visits=1, seconds=160)}
    by_visits, by_time = (
        stuck(history, OUTLINE, MEDIANS, thresholds) for thresholds in (StuckThresholds(1, 2), StuckThresholds(3, 1.5))
    )
    assert [lesson_phrase(each)[:28] for each in by_visits] == ["not completed after 1 visit,"]
    assert ["1.5 times" in lesson_phrase(each) for each in by_time] == [True]


@pytest.mark.parametrize(
    ("history", "lesson"),
    [
        ({}, None),
        ({(2, 1): started(NOW)}, (2, 1)),
        ({(2, 1): started(NOW), (1, 1): started(NOW)}, (1, 1)),
        ({(2, 1): started(NOW), (2, 2): completed(NOW)}, None),
        ({(2, 2): started(ago(days=1)), (2, 1): started(NOW)}, (2, 2)),
        ({(2, 1): completed(NOW)}, None),
        ({(2, 1): started(NOW), (1, 1): LessonHistory(), (9, 9): completed(NOW)}, (2, 1)),
    ],
    ids=[
        "nothing",
        "started alone",
        "went on by a start",
        "went on by a completion",
        "later is by the outline, not by time",
        "completed",
        "what is outside or not started is nothing",
    ],
)
def test_a_lesson_stops_who_neither_completed_it_nor_went_on(history: History, lesson: Lesson | None) -> None:
    assert stopped_at(history, OUTLINE) == lesson


@pytest.mark.parametrize(("started", "stopped", "share"), [(4, 1, 0.25), (4, 0, 0), (4, 4, 1), (0, 0, None)])
def test_the_drop_off_is_the_share_it_stopped_of_those_who_started(
    started: int, stopped: int, share: float | None
) -> None:
    assert drop_off(started, stopped) == share
