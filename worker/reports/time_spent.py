"""Time spent as a picture: all of it, and what of it is measured."""

from worker.reports.chart import Columns, Part, columns
from worker.reports.formatting import lesson_name
from worker.reports.table import Table

TIME = (Part("time spent", "spent_seconds", is_strong=False), Part("of it measured", "measured_seconds"))
"""The two parts of every such picture."""


def time_by_lesson(table: Table) -> Columns:
    """A column for each lesson of the table, in order."""
    return columns(
        table,
        "Time spent by lesson",
        *TIME,
        name=lesson_name,
        labels=lambda record: str(record["topic_id"]),
        axis="Lessons in order; the numbers are topics",
        room=6,
        is_grouped=True,
    )
