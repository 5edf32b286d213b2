"""The table of activity by weekday and hour, the same for a course and a learner."""

from collections.abc import Sequence

from worker.reports.table import Column, Kind, Table

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def hours_table(events_by_weekday: Sequence[Sequence[int]]) -> Table:
    """A row for each hour of the week; none where there is no event at all."""
    rows = [
        (weekday, hour, events)
        for weekday, hours in zip(WEEKDAYS, events_by_weekday, strict=False)
        for hour, events in enumerate(hours)
    ]
    return Table(
        "hours",
        "Activity by weekday and hour",
        "Lessons viewed or completed in each hour of the week, on the clock where the learner is.",
        (
            Column("weekday", "Weekday", Kind.TEXT),
            Column("hour", "Hour", Kind.ID),
            Column("events", "Events", Kind.COUNT),
        ),
        rows if any(events for *_, events in rows) else [],
    )
