"""A learner's weeks: what falls into each, where the learner is."""

from datetime import UTC, date, datetime

from tests.support.zones import only
from worker.analytics.rules.activity import Day, TimeSpent
from worker.analytics.rules.learner_history import LessonHistory
from worker.analytics.rules.weeks import LearnerWeek, last_mondays, learner_weeks, monday
from worker.contract.progress_status import ProgressStatus

SUNDAY, MONDAY = date(2025, 7, 6), date(2025, 7, 7)
LATE_ON_SUNDAY = datetime(2025, 7, 6, 23, 30, tzinfo=UTC)
NOTHING = TimeSpent(0, 0)


def completed(at: datetime | None) -> LessonHistory:
    return LessonHistory(ProgressStatus.COMPLETED, completed_at=at)


def test_a_week_is_monday_to_sunday() -> None:
    assert [monday(day) for day in (SUNDAY, MONDAY, date(2025, 7, 13))] == [date(2025, 6, 30), MONDAY, MONDAY]


def test_completions_fall_into_the_week_it_was_where_the_learner_is() -> None:
    history = {(1, 1): completed(LATE_ON_SUNDAY)}
    assert learner_weeks(history, {}, history, only(None)) == {date(2025, 6, 30): LearnerWeek(1, 0, NOTHING)}
    assert learner_weeks(history, {}, history, only("Pacific/Auckland")) == {MONDAY: LearnerWeek(1, 0, NOTHING)}


def test_only_lessons_that_count_are_completed_and_only_at_a_known_time() -> None:
    history = {
        (1, 1): completed(LATE_ON_SUNDAY),
        (1, 2): completed(None),
        (1, 3): LessonHistory(ProgressStatus.IN_PROGRESS, completed_at=LATE_ON_SUNDAY),
        (9, 9): completed(LATE_ON_SUNDAY),
    }
    counting = {(1, 1), (1, 2), (1, 3)}
    assert [week.completed for week in learner_weeks(history, {}, counting, only(None)).values()] == [1]


def test_days_add_up_to_their_week_exactly() -> None:
    days = {MONDAY: Day(TimeSpent(0.1, 0.1), 3), date(2025, 7, 8): Day(TimeSpent(0.2, 0), 4), SUNDAY: Day(NOTHING, 1)}
    assert learner_weeks({}, days, (), only(None)) == {
        MONDAY: LearnerWeek(0, 7, TimeSpent(0.3, 0.1)),
        date(2025, 6, 30): LearnerWeek(0, 1, NOTHING),
    }


def test_the_last_mondays_have_no_gap() -> None:
    assert last_mondays([], MONDAY, 5) == []
    assert last_mondays([MONDAY], MONDAY, 5) == last_mondays([MONDAY], SUNDAY, 5) == [MONDAY]
    assert last_mondays([MONDAY], date(2025, 7, 27), 2) == [date(2025, 7, 14), date(2025, 7, 21)]
    found = [date(2025, 7, 21), date(2025, 6, 30)]
    assert last_mondays(found, MONDAY, 5) == [date(2025, 6, 30), MONDAY, date(2025, 7, 14), date(2025, 7, 21)]
    assert last_mondays(found, MONDAY, 2) == [date(2025, 7, 14), date(2025, 7, 21)]
