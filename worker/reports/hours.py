"""Activity by weekday and hour: the table of a course and of a learner, and its headline sentence."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from worker.formatting import counted, percent
from worker.reports.outstanding import outstanding
from worker.reports.table import Column, Kind, Table

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

NO_VISIT = "No visit was recorded."
"""Progress may still be there: corrections are no visits."""

_MIN_EVENTS = 20
"""With fewer, no day or hour is called the busiest."""


class Hour(NamedTuple):
    """One of the 168 hours of the local week."""

    weekday: str
    hour: int
    events: int


def hours_table(events_by_weekday: Sequence[Sequence[int]]) -> Table[Hour]:
    """Return a row for each hour of the week; none if there is no event at all."""
    rows = [
        Hour(weekday, hour, events)
        for weekday, hours in zip(_WEEKDAYS, events_by_weekday, strict=False)
        for hour, events in enumerate(hours)
    ]
    return Table(
        "hours",
        "Activity by weekday and hour",
        "Lessons viewed or completed in each hour of the week, in the learner's local time.",
        (
            Column("weekday", "Weekday", Kind.TEXT, lambda row: row.weekday),
            Column("hour", "Hour", Kind.ID, lambda row: row.hour),
            Column("events", "Events", Kind.COUNT, lambda row: row.events),
        ),
        rows if any(row.events for row in rows) else [],
    )


def busiest_hours(hours: Sequence[Hour]) -> str:
    """Return a sentence on the weekday and the hour of the day with the most events, if they stand out."""
    by_weekday: Counter[str] = Counter()
    by_hour: Counter[int] = Counter()
    for weekday, hour, events in hours:
        by_weekday[weekday] += events
        by_hour[hour] += events
    total = by_weekday.total()
    if total < _MIN_EVENTS:
        return f"{counted(total, 'event')}: too few for a busiest day or hour."
    day, start = outstanding(list(by_weekday), by_weekday.__getitem__), outstanding(list(by_hour), by_hour.__getitem__)
    day_said, hour_said = f"No day is the busiest of {counted(total, 'event')}", "no hour of the day is the busiest"
    if day is not None:
        share = percent(100 * by_weekday[day] / total)
        day_said = f"{day} is the busiest day with {share} of {counted(total, 'event')}"
    if start is not None:
        share = percent(100 * by_hour[start] / total)
        hour_said = f"the busiest hour of the day begins at {start}:00, with {share}"
    return f"{day_said}; {hour_said}."
