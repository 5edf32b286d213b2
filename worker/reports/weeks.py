"""Weeks of a course or a learner: the headline sentence and the chart."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from worker.analytics.analysis import Week, WeekTime
from worker.formatting import counted
from worker.reports.chart import Columns, Part, columns
from worker.reports.formatting import shown
from worker.reports.outstanding import outstanding
from worker.reports.table import Kind

AnyWeek = TypeVar("AnyWeek", Week, WeekTime)


def pace(weeks: Sequence[AnyWeek], *, by: Callable[[AnyWeek], str] = lambda _: "") -> str:
    """Return a sentence on the lessons completed this week and in the best week; `by` names the learners."""
    last, most = weeks[-1], max(week.completed for week in weeks)
    if not most:
        return "No lesson was completed in these weeks."
    said = f"Since Monday, {shown(last.monday, Kind.DATE)}: {counted(last.completed, 'lesson')} completed."
    best = outstanding(weeks, lambda week: week.completed)
    if best is None:
        return f"{said} The best weeks had {counted(most, 'lesson')} each."
    return f"{said} The best week began on {shown(best.monday, Kind.DATE)}: {counted(most, 'lesson')}{by(best)}."


def by_week(weeks: Sequence[AnyWeek], title: str, *parts: Part[AnyWeek]) -> Columns | None:
    """Return a chart with a column for each week."""
    return columns(
        weeks,
        title,
        *parts,
        name=lambda week: f"Week from {shown(week.monday, Kind.DATE)}",
        labels=lambda week: f"{week.monday:%b %Y}",
        axis="",
        room=20,
        last_label="this week",
    )
