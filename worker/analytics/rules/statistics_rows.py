"""Time statistics as rows of their three tables, to compare with the stored ones."""

from collections.abc import Mapping

from worker.analytics.rules.activity_rows import Key, spent_columns
from worker.analytics.rules.time_statistics import CourseTimeStatistics

StatisticsRows = dict[str, dict[Key, dict[str, object]]]
"""Table → key → the columns derived from events."""


def statistics_rows(courses: Mapping[int, CourseTimeStatistics]) -> StatisticsRows:
    """Return the rows of these courses."""
    rows: StatisticsRows = {"course_figures": {}, "week_figures": {}, "lesson_figures": {}}
    for course_id, its in courses.items():
        rows["course_figures"][course_id,] = {
            **spent_columns(its.spent),
            "sessions": its.sessions,
            "session_seconds": its.session_seconds,
            "events_by_hour": its.events_by_hour,
            "median_days": its.median_days,
        }
        for monday, week in its.weeks.items():
            columns = {"completed": week.completed, "learners": week.learners, **spent_columns(week.spent)}
            rows["week_figures"][course_id, monday] = columns
        for lesson, of in its.lessons.items():
            rows["lesson_figures"][course_id, *lesson] = {
                "stopped": of.stopped,
                "stuck": of.stuck,
                "visits": of.visits,
                **spent_columns(of.spent),
                "median_seconds": of.median_seconds,
                "median_visits_to_complete": of.median_visits_to_complete,
                "median_days": of.median_days,
            }
    return rows


def by_table(rows: StatisticsRows) -> dict[str, dict[tuple[object, ...], tuple[object, ...]]]:
    """Return the rows by table, as key → columns."""
    return {table: {key: tuple(columns.values()) for key, columns in its.items()} for table, its in rows.items()}
