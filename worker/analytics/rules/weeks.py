"""Weeks, Monday to Sunday where the learner is, and what a learner did in each."""

from collections import defaultdict
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from worker.analytics.rules.activity import Day, TimeSpent
from worker.analytics.rules.learner_history import History
from worker.analytics.rules.local_day import Zones, local_day
from worker.contract.lesson import Lesson

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class LearnerWeek:
    """Of one learner: lessons completed in the week, events, time spent.

    Only lessons that count are completed, and only at a known time; the rest is of whatever lesson.
    """

    completed: int
    events: int
    spent: TimeSpent


@dataclass(slots=True)
class _Count:
    completed: int = 0
    events: int = 0
    seconds: float = 0
    measured_seconds: float = 0


def learner_weeks(
    history: History, days: Mapping[date, Day], counting: Container[Lesson], zones: Zones
) -> dict[date, LearnerWeek]:
    """By their Mondays, those with a completion, an event or time spent; `counting` are the lessons that count."""
    weeks: dict[date, _Count] = defaultdict(_Count)
    for lesson, its in history.items():
        if lesson in counting and its.completed and its.completed_at:
            weeks[monday(local_day(its.completed_at, zones))].completed += 1
    for day, of_day in days.items():
        week = weeks[monday(day)]
        week.events += of_day.events
        week.seconds += of_day.spent.seconds
        week.measured_seconds += of_day.spent.measured_seconds
    return {
        day: LearnerWeek(week.completed, week.events, _time(week.seconds, week.measured_seconds))
        for day, week in weeks.items()
    }


def monday(day: date) -> date:
    """The first day of its week."""
    return day - day.weekday() * _DAY


def last_mondays(mondays: Collection[date], most: int) -> list[date]:
    """Every Monday from the first of these to the last, of which at most so many, the last ones."""
    if not mondays:
        return []
    last = max(mondays)
    first = max(min(mondays), last - (most - 1) * _WEEK)
    return [first + number * _WEEK for number in range((last - first) // _WEEK + 1)]


def _time(seconds: float, measured_seconds: float) -> TimeSpent:
    """To the microsecond, so that it does not tell in which order it was summed."""
    return TimeSpent(round(seconds, 6), round(measured_seconds, 6))
