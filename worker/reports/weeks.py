"""Weeks as a picture and in a sentence."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from worker.formatting import counted
from worker.reports.chart import Columns, Part, columns, month
from worker.reports.formatting import about, shown
from worker.reports.table import Kind, Table

_RECENT_WEEKS = 4


def pace(table: Table, *, by: Callable[[dict[str, Any]], str] = lambda _: "") -> str:
    """How many lessons were completed a week of late, and in the best one, `by` whom."""
    records = table.records()
    recent, best = records[-_RECENT_WEEKS:], max(records, key=lambda record: record["completed"])
    if not best["completed"]:
        return "No lesson was completed in these weeks."
    rate = sum(record["completed"] for record in recent) / len(recent)
    until = shown(recent[-1]["monday"] + timedelta(days=6), Kind.DATE)
    return (
        f"Lessons completed a week, in the {counted(len(recent), 'week')} up to {until}: {about(rate)}. The best week "
        f"began on {shown(best['monday'], Kind.DATE)}: {counted(best['completed'], 'lesson')}{by(best)}."
    )


def by_week(table: Table, title: str, *parts: Part) -> Columns:
    """A column for each week."""
    return columns(
        table,
        title,
        *parts,
        name=lambda record: f"Week from {shown(record['monday'], Kind.DATE)}",
        labels=lambda record: month(record["monday"]),
        axis="",
        room=16,
    )
