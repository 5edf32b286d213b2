"""Who of a course was active once, is not any more, and has not completed it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.domain.analysis import DormantLearner

# The last event tells the last active day, unless that is tomorrow where the learner is: then the days do.
_DORMANT = text("""
    WITH learner AS (
        SELECT enrollment.id, (last_at AT TIME ZONE coalesce(zone.name, 'UTC'))::date AS last_on,
               (CAST(:now AS timestamptz) AT TIME ZONE coalesce(zone.name, 'UTC'))::date AS today
        FROM user_course AS enrollment
        JOIN enrollment_activity ON user_course_id = enrollment.id
        LEFT JOIN pg_timezone_names AS zone ON zone.name = timezone
        WHERE course_id = :course_id AND last_at IS NOT NULL
    ),
    seen AS (
        SELECT id, today, CASE WHEN last_on <= today THEN last_on ELSE (
                   SELECT max(day) FROM daily_activity
                   WHERE user_course_id = id AND events > 0 AND day <= today
               ) END AS last_seen_on
        FROM learner
    )
    SELECT id, last_seen_on, completion_percentage, count(*) OVER () AS learners
    FROM seen
    LEFT JOIN user_course_summary AS summary ON user_course_id = id AND course_id = :course_id
    WHERE today - last_seen_on >= :dormant_days
      AND (outline_version > 0 AND total_lessons > 0 AND completed_lessons = total_lessons) IS NOT TRUE
    ORDER BY last_seen_on DESC, id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Dormant:
    """How many there are, and those of them seen last."""

    count: int
    latest: list[DormantLearner]


def read_dormant(connection: Connection, course_id: int, now: datetime, dormant_days: int, limit: int) -> Dormant:
    """The dormant learners of a course, as `worker.domain.streak.is_dormant` says, up to `limit` of them by name.

    Who has completed the course, by the stored summary, is finished instead. One query. Costs one row of each enrolment
    of the course.
    """
    found = connection.execute(
        _DORMANT, {"course_id": course_id, "now": now, "dormant_days": dormant_days, "limit": limit}
    ).all()
    return Dormant(
        found[0].learners if found else 0,
        [DormantLearner(row.id, row.last_seen_on, row.completion_percentage) for row in found],
    )
