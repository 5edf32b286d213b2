"""A learner's weeks, Monday to Sunday in local time."""

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
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


def learner_weeks(
    history: History, days: Mapping[date, Day], counting: Container[Lesson], zones: Zones
) -> dict[date, LearnerWeek]:
    """Return the weeks with a completion, an event or time spent, by Monday; `counting` are the lessons that count."""
    completed: Counter[date] = Counter()
    for lesson, its in history.items():
        if lesson in counting and its.completed and its.completed_at:
            completed[monday(local_day(its.completed_at, zones))] += 1
    by_week: dict[date, list[Day]] = defaultdict(list)
    for day, of_day in days.items():
        by_week[monday(day)].append(of_day)
    return {
        week: LearnerWeek(completed[week], sum(day.events for day in by_week[week]), _time(by_week[week]))
        for week in completed.keys() | by_week.keys()
    }


def monday(day: date) -> date:
    """Return the Monday of the day's week."""
    return day - day.weekday() * _DAY


def last_mondays(mondays: Collection[date], today: date, max_weeks: int) -> list[date]:
    """Return every Monday from the first of these to that of today's week, at most the last `max_weeks`.

    Up to the last of these if that is later; none if there are none.
    """
    if not mondays:
        return []
    last = max(*mondays, monday(today))
    first = max(min(mondays), last - (max_weeks - 1) * _WEEK)
    return [first + number * _WEEK for number in range((last - first) // _WEEK + 1)]


def _time(days: Sequence[Day]) -> TimeSpent:
    """Return the sum to the microsecond, so that it does not depend on the order."""
    return TimeSpent(
        round(sum(day.spent.seconds for day in days), 6), round(sum(day.spent.measured_seconds for day in days), 6)
    )
