"""Figures as their three tables hold them: what must be stored, in the form in which it can be compared."""

from dataclasses import astuple

from worker.domain.activity import TimeSpent
from worker.domain.figures import CourseFigures

FigureRows = dict[str, dict[tuple[object, ...], tuple[object, ...]]]
"""Table → key → the columns that follow from the events."""


def figure_rows(figures: dict[int, CourseFigures]) -> FigureRows:
    """The rows of these courses."""
    return {
        "course_figures": {
            (course_id,): (*_spent(its.spent), its.sessions, its.session_seconds, its.events_by_hour, its.median_days)
            for course_id, its in figures.items()
        },
        "week_figures": {
            (course_id, monday): astuple(week)
            for course_id, its in figures.items()
            for monday, week in its.weeks.items()
        },
        "lesson_figures": {
            (course_id, *lesson): astuple(of)
            for course_id, its in figures.items()
            for lesson, of in its.lessons.items()
        },
    }


def _spent(spent: TimeSpent) -> tuple[float, float]:
    return spent.seconds, spent.measured_seconds
