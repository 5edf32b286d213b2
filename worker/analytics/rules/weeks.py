"""A learner's weeks, Monday to Sunday in local time."""

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
    """One learner's week: counted lessons completed at a known time, and events and time spent of any lesson."""

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
    """Return the weeks with a completion, an event or time spent, by Monday; `counting` are the lessons that count."""
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
    """Return the Monday of the day's week."""
    return day - day.weekday() * _DAY


def last_mondays(mondays: Collection[date], max_weeks: int) -> list[date]:
    """Return every Monday from the first to the last of these, at most the last `max_weeks`."""
    if not mondays:
        return []
    last = max(mondays)
    first = max(min(mondays), last - (max_weeks - 1) * _WEEK)
    return [first + number * _WEEK for number in range((last - first) // _WEEK + 1)]


def _time(seconds: float, measured_seconds: float) -> TimeSpent:
    """Return the time to the microsecond, so that it does not depend on the order of the sum."""
    return TimeSpent(round(seconds, 6), round(measured_seconds, 6))
