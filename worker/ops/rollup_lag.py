"""How far each rollup is behind, and which refreshes failed. Failed ones do not count as behind."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_FAILED = text("""
    SELECT rollup, count(*) AS number, (array_agg(id ORDER BY id))[1:5] AS ids
    FROM (
        SELECT DISTINCT 'summaries' AS rollup, user_course_id AS id FROM enrollment_change WHERE failed_at IS NOT NULL
        UNION ALL
        SELECT DISTINCT 'course_statistics', course_id FROM course_change WHERE failed_at IS NOT NULL
        UNION ALL
        SELECT DISTINCT 'activity', user_course_id FROM activity_change WHERE failed_at IS NOT NULL
    ) AS failed
    GROUP BY rollup
""")

# Minimums by index. Activity and statistics follow summaries, so what waits for a summary waits for them too.
_OLDEST = text("""
    WITH failed AS MATERIALIZED (
        SELECT ARRAY(SELECT user_course_id FROM enrollment_change WHERE failed_at IS NOT NULL) AS summaries,
               ARRAY(SELECT user_course_id FROM activity_change WHERE failed_at IS NOT NULL) AS activities,
               ARRAY(SELECT course_id FROM course_change WHERE failed_at IS NOT NULL) AS courses
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
""")


@dataclass(frozen=True, slots=True)
class FailedRefreshes:
    """How many enrollments (for course statistics, courses) a rollup could not compute, and the first five ids."""

    number: int
    ids: list[int]


def oldest_changes(connection: Connection) -> dict[str, datetime | None]:
    """Return for each rollup the time of the oldest change it does not include, except failed ones; None if current."""
    return dict(connection.execute(_OLDEST).mappings().one())


def failed_refreshes(connection: Connection) -> dict[str, FailedRefreshes]:
    """Return the failed refreshes waiting for a retry, for each rollup that has any."""
    return {row.rollup: FailedRefreshes(row.number, row.ids) for row in connection.execute(_FAILED)}
