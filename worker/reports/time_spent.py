"""The chart of time spent by lesson, measured and in all."""

from collections.abc import Sequence

from worker.analytics.analysis import AnalyzedLesson, VisitedLesson
from worker.reports.chart import Columns, Part, columns
from worker.reports.formatting import lesson_name, shown
from worker.reports.table import SPENT, AnyTime, Kind

TIME: tuple[Part[AnyTime], ...] = (Part("time spent", SPENT[0], is_strong=False), Part("measured", SPENT[1]))
"""The two parts of every chart of time."""


def has_no_time(rows: Sequence[AnyTime]) -> bool:
    """Return whether no row has any time spent."""
    return not any(row.spent.seconds for row in rows)


def no_more_than(rows: Sequence[AnyTime]) -> str:
    """Return how much time was spent at most, for where several rows have as much."""
    most = max(row.spent.seconds for row in rows)
    return f"{sum(row.spent.seconds == most for row in rows):,} have {shown(most, Kind.SECONDS)} each"


def time_by_lesson(lessons: Sequence[AnalyzedLesson | VisitedLesson]) -> Columns | None:
    """Return a chart with a column for each lesson, in order."""
    return columns(
        lessons,
        "Time spent by lesson",
        *TIME,
        name=lesson_name,
        labels=lambda lesson: str(lesson.topic_id),
        axis="Lessons in order; the numbers are topics",
        room=6,
        is_grouped=True,
    )
