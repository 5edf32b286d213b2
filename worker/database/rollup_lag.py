"""How far each rollup is behind, and which refreshes failed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.database.stale_marks import FAILED_ACTIVITY, FAILED_STATISTICS, FAILED_SUMMARIES, Rollup

_FAILED = text(f"""
    SELECT rollup, count(*) AS number, (array_agg(id ORDER BY id))[1:5] AS ids
    FROM (
        SELECT DISTINCT 'summaries' AS rollup, user_course_id AS id FROM ({FAILED_SUMMARIES}) AS its
        UNION ALL
        SELECT DISTINCT 'course_statistics', course_id FROM ({FAILED_STATISTICS}) AS its
        UNION ALL
        SELECT DISTINCT 'activity', user_course_id FROM ({FAILED_ACTIVITY}) AS its
    ) AS failed
    GROUP BY rollup
""")  # noqa: S608 - constants

# Minimums by index. Activity and statistics follow summaries, so what waits for a summary waits for them too.
_OLDEST_NOT_FAILED = text(f"""
    WITH failed AS MATERIALIZED (
        SELECT ARRAY({FAILED_SUMMARIES}) AS summaries, ARRAY({FAILED_ACTIVITY}) AS activities,
               ARRAY({FAILED_STATISTICS}) AS courses
    ),
    changed AS MATERIALIZED (
        SELECT (SELECT min(stale_since) FROM user_course WHERE stale_since IS NOT NULL AND id <> ALL(summaries)) AS at
        FROM failed
    ),
    active AS MATERIALIZED (
        SELECT least(at, (
            SELECT min(changed_at) FROM activity_change
            WHERE user_course_id <> ALL(activities) AND user_course_id <> ALL(summaries)
        )) AS at
        FROM failed CROSS JOIN changed
    )
    SELECT least(
               changed.at,
               (SELECT min(changed_at) FROM enrollment_change WHERE user_course_id <> ALL(summaries)),
               (SELECT min(stale_since) FROM course
                WHERE stale_since IS NOT NULL AND EXISTS (
                    SELECT FROM user_course_summary AS summary
                    WHERE summary.course_id = course.id AND outline_version < course.version
                      AND user_course_id <> ALL(summaries)
                ))
           ) AS summaries,
           least(active.at, (SELECT min(changed_at) FROM course_change WHERE course_id <> ALL(courses)))
               AS course_statistics,
           active.at AS activity
    FROM failed CROSS JOIN changed CROSS JOIN active
""")  # noqa: S608 - constants

_SUMMARIES = "(SELECT min(stale_since) FROM user_course WHERE stale_since IS NOT NULL)"
_ACTIVITY = "(SELECT min(changed_at) FROM activity_change)"
_COURSES = "(SELECT min(changed_at) FROM course_change)"
_OLDEST = {
    "summaries": text(f"""
        SELECT least({_SUMMARIES}, (SELECT min(stale_since) FROM course WHERE stale_since IS NOT NULL),
                     (SELECT min(changed_at) FROM enrollment_change))
    """),  # noqa: S608 - a constant
    "activity": text(f"SELECT least({_SUMMARIES}, {_ACTIVITY})"),
    "course_statistics": text(f"SELECT least({_SUMMARIES}, {_ACTIVITY}, {_COURSES})"),
}
"""Activity is refreshed after summaries, and statistics after activity, so a mark counts for all that follow."""


@dataclass(frozen=True, slots=True)
class FailedRefreshes:
    """How many enrollments (for course statistics, courses) a rollup could not compute, and the first five ids."""

    number: int
    ids: list[int]


def oldest_change(connection: Connection, rollup: Rollup) -> datetime | None:
    """Return the time of the oldest change that the rollup does not show yet, failed or not; None if it is current."""
    oldest: datetime | None = connection.scalar(_OLDEST[rollup])
    return oldest


def oldest_changes(connection: Connection) -> dict[str, datetime | None]:
    """Return for each rollup the time of the oldest change it does not include, except failed ones; None if current."""
    return dict(connection.execute(_OLDEST_NOT_FAILED).mappings().one())


def failed_refreshes(connection: Connection) -> dict[str, FailedRefreshes]:
    """Return the failed refreshes waiting for a retry, for each rollup that has any."""
    return {row.rollup: FailedRefreshes(row.number, row.ids) for row in connection.execute(_FAILED)}
