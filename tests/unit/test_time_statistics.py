"""Statistics of a course from its learners' activity, one example each."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.support.learners import NOW, ago, completed, started
from tests.support.zones import only
from worker.analytics.rules.activity import HOURS_OF_A_WEEK, Activity, Day, TimeSpent
from worker.analytics.rules.learner_history import History, LessonHistory
from worker.analytics.rules.time_statistics import (
    CourseTimeStatistics,
    Enrolled,
    LessonTimeStatistics,
    WeekTimeStatistics,
    course_time_statistics,
    median,
)
from worker.analytics.rules.weeks import monday
from worker.analytics.thresholds import AnalysisThresholds

NOTHING = TimeSpent(0, 0)
IDLE = Activity({}, {}, {}, NOTHING, 0, 0, None, None, [0] * HOURS_OF_A_WEEK)
OUTLINE = [(1, 1), (1, 2), (2, 1)]


def learner(history: History, activity: Activity = IDLE, timezone: str | None = None) -> Enrolled:
    return Enrolled(history, activity, only(timezone))


def figures(*enrolled: Enrolled, outline: list[tuple[int, int]] | None = OUTLINE) -> CourseTimeStatistics:
    return course_time_statistics(enrolled, outline, AnalysisThresholds().stuck)


def first_lesson(*histories: History) -> LessonTimeStatistics:
    return figures(*(learner(each) for each in histories)).lessons[1, 1]


@pytest.mark.parametrize(
    ("values", "expected"), [([], None), ([3], 3), ([1, 9], 5), ([9, 1, 2], 2), ([1, 2, 3, 100], 2.5)]
)
def test_a_median_is_the_middle_or_the_middle_of_the_middle_two(values: list[float], expected: float | None) -> None:
    assert median(values) == expected


def test_a_course_without_enrollments_has_figures_of_nothing_for_each_lesson() -> None:
    found = figures()
    assert found.lessons == dict.fromkeys(OUTLINE, LessonTimeStatistics(0, 0, 0, NOTHING, None, None, None))
    assert (found.median_days, found.weeks, found.spent) == (None, {}, NOTHING)


def test_the_median_time_is_of_those_who_completed_and_whose_time_is_known() -> None:
    histories: list[History] = [{(1, 1): completed(NOW, seconds=each)} for each in (0, 10, 30)]
    assert first_lesson(*histories, {(1, 1): started(NOW, seconds=9_000)}).median_seconds == 20


def test_visits_to_complete_count_where_there_was_one() -> None:
    by_hand = completed(NOW, visits=0, visits_to_complete=None)
    histories: list[History] = [{(1, 1): completed(NOW, visits_to_complete=each)} for each in (0, 1, 4)]
    assert first_lesson({(1, 1): by_hand}, *histories).median_visits_to_complete == 2.5


def test_days_run_from_the_first_visit_to_the_completion_in_this_order() -> None:
    slow = replace(completed(NOW), first_visit_at=ago(days=3))
    set_back = replace(completed(ago(days=9)), first_visit_at=NOW)
    unknown = replace(completed(NOW), completed_at=None)
    assert first_lesson({(1, 1): slow}, {(1, 1): set_back}, {(1, 1): unknown}).median_days == 3


def test_a_lesson_stops_whom_nothing_later_followed() -> None:
    gone: History = {(1, 1): started(NOW)}
    went_on: History = {(1, 1): started(NOW), (2, 1): started(NOW)}
    lessons = figures(learner(gone), learner(went_on)).lessons
    assert [its.stopped for its in lessons.values()] == [1, 0, 1]


def test_stuck_is_counted_by_the_medians_of_the_same_course() -> None:
    quick: History = {(1, 1): completed(NOW, seconds=100)}
    long, longer = ({(1, 1): started(NOW, seconds=each)} for each in (200, 201))
    assert [first_lesson(quick, each).stuck for each in (long, longer)] == [0, 1]


def test_the_course_takes_from_the_first_event_to_the_last_completion() -> None:
    done: History = {lesson: completed(ago(days=day)) for day, lesson in enumerate(OUTLINE)}
    whole = replace(IDLE, first_at=ago(days=10))
    assert figures(learner(done, whole)).median_days == 10
    part = {lesson: done[lesson] for lesson in OUTLINE[:2]}
    for history, activity in ((part, whole), (done, IDLE), (done, replace(IDLE, first_at=NOW + timedelta(days=1)))):
        assert figures(learner(history, activity)).median_days is None
    assert figures(learner(done, whole), outline=None).median_days is None


def test_a_lesson_that_was_taken_back_stops_nobody() -> None:
    taken_back: History = {(1, 1): completed(NOW), (1, 2): LessonHistory(first_visit_at=NOW, visits=3)}
    assert [its.stopped for its in figures(learner(taken_back)).lessons.values()] == [0, 0, 0]


def test_a_lesson_that_left_the_outline_is_completed_in_no_week() -> None:
    history: History = {(1, 1): completed(NOW), (9, 9): completed(NOW)}
    assert figures(learner(history)).weeks == {date(2025, 7, 14): WeekTimeStatistics(1, 0, NOTHING)}


def test_weeks_begin_on_monday_where_the_learner_is() -> None:
    sunday = datetime(2025, 7, 13, 23, tzinfo=UTC)
    history: History = {(1, 1): completed(sunday)}
    berlin, utc = (figures(learner(history, timezone=zone)).weeks for zone in ("Europe/Berlin", None))
    assert ([*berlin], [*utc]) == ([date(2025, 7, 14)], [date(2025, 7, 7)])


def test_a_week_has_the_learners_with_an_event_once_and_the_time_of_all_days() -> None:
    tuesday, wednesday = date(2025, 7, 15), date(2025, 7, 16)
    busy = {tuesday: Day(TimeSpent(60, 60), 2), wednesday: Day(TimeSpent(30.5, 0), 1)}
    over_midnight = {wednesday: Day(TimeSpent(10, 10), 0)}
    found = figures(learner({}, replace(IDLE, days=busy)), learner({}, replace(IDLE, days=over_midnight)))
    assert found.weeks == {monday(tuesday): WeekTimeStatistics(0, 1, TimeSpent(100.5, 70))}


def test_time_sessions_and_hours_are_the_sums_of_the_learners() -> None:
    each = replace(
        IDLE, spent=TimeSpent(0.1, 0.1), sessions=2, session_seconds=0.2, events_by_hour=[1] * HOURS_OF_A_WEEK
    )
    found = figures(*[learner({}, each)] * 3)
    assert found.spent == TimeSpent(0.3, 0.3)
    assert (found.sessions, found.session_seconds, set(found.events_by_hour)) == (6, 0.6, {3})
