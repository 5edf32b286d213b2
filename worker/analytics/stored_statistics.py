"""Read the stored statistics of courses.

Reference model in plain Python: `rules.completion_statistics` and `rules.time_statistics`.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.analytics.rules.activity import TimeSpent
from worker.analytics.rules.completion_statistics import Statistics
from worker.analytics.rules.time_statistics import CourseTimeStatistics, LessonTimeStatistics, WeekTimeStatistics
from worker.contract.lesson import Lesson

_COURSE = text("SELECT * FROM course_statistics WHERE course_id = :course_id")

_LESSONS = text("SELECT * FROM lesson_statistics WHERE course_id = :course_id")

_COURSE_FIGURES = text("SELECT * FROM course_figures WHERE course_id = :course_id")

_WEEK_FIGURES = text("SELECT * FROM week_figures WHERE course_id = :course_id")

_LESSON_FIGURES = text("SELECT * FROM lesson_figures WHERE course_id = :course_id")

_MEDIANS = text("""
    SELECT topic_id, lesson_id, median_seconds FROM lesson_figures
    WHERE course_id = :course_id AND median_seconds IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class StoredStatistics:
    """The completion statistics of a course and its lessons, exact at one instant."""

    course: Statistics
    lessons: dict[Lesson, Statistics]
    as_of: datetime


def read_statistics(connection: Connection, course_id: int) -> StoredStatistics | None:
    """Return the completion statistics of a course, None if not stored yet. Two queries, which need one snapshot."""
    row = connection.execute(_COURSE, {"course_id": course_id}).one_or_none()
    if row is None:
        return None
    lessons = connection.execute(_LESSONS, {"course_id": course_id})
    return StoredStatistics(
        _statistics(row), {(each.topic_id, each.lesson_id): _statistics(each) for each in lessons}, row.as_of
    )


def read_time_statistics(connection: Connection, course_id: int) -> CourseTimeStatistics | None:
    """Return the time statistics of a course, exact at the same instant; None if not stored yet.

    Three queries, which need one snapshot. Reads a row of each lesson and week.
    """
    key = {"course_id": course_id}
    row = connection.execute(_COURSE_FIGURES, key).one_or_none()
    if row is None:
        return None
    return CourseTimeStatistics(
        spent=_spent(row),
        sessions=row.sessions,
        session_seconds=row.session_seconds,
        events_by_hour=row.events_by_hour,
        median_days=row.median_days,
        weeks={
            each.monday: WeekTimeStatistics(each.completed, each.learners, _spent(each))
            for each in connection.execute(_WEEK_FIGURES, key)
        },
        lessons={
            (each.topic_id, each.lesson_id): LessonTimeStatistics(
                stopped=each.stopped,
                stuck=each.stuck,
                visits=each.visits,
                spent=_spent(each),
                median_seconds=each.median_seconds,
                median_visits_to_complete=each.median_visits_to_complete,
                median_days=each.median_days,
            )
            for each in connection.execute(_LESSON_FIGURES, key)
        },
    )


def read_medians(connection: Connection, course_id: int | None) -> dict[Lesson, float]:
    """Return the median seconds of the course's lessons that have one. One query."""
    found = connection.execute(_MEDIANS, {"course_id": course_id})
    return {(topic_id, lesson_id): median for topic_id, lesson_id, median in found}


def _statistics(row: Row[Any]) -> Statistics:
    return Statistics(**{field.name: getattr(row, field.name) for field in fields(Statistics)})


def _spent(row: Row[Any]) -> TimeSpent:
    return TimeSpent(row.seconds, row.measured_seconds)
