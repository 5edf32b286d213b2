"""The dormant learners of a course: once active, no longer so, and without completing it.

Only enrollments that the course's statistics include as they are now, so that both agree.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.analytics.analysis import DormantLearner
from worker.analytics.freshness import IS_INCLUDED
from worker.analytics.zone_history import ZONES, in_force
from worker.analytics.zone_offsets import clocks_of_course

_IN_FORCE = in_force("CAST(:now AS timestamptz)")

# The last event is on the last active day, unless that is tomorrow for the learner, the time zone changed, or clocks
# were set in the hours before, perhaps back over midnight: then the stored days decide.
_DORMANT = text(f"""
    WITH enrollment AS (
        SELECT enrollment.id, timezone, completion_percentage, last_at,
               outline_version > 0 AND total_lessons > 0 AND completed_lessons = total_lessons AS is_finished
        FROM user_course AS enrollment
        JOIN user_course_summary AS summary ON summary.user_course_id = enrollment.id
        JOIN enrollment_activity AS activity ON activity.user_course_id = enrollment.id
        WHERE enrollment.course_id = :course_id AND last_at IS NOT NULL AND {IS_INCLUDED}
    ),
    {ZONES},
    learner AS (
        SELECT id, completion_percentage, is_finished,
               CASE WHEN since = '-infinity' AND last_at < until
                     AND (last_at AT TIME ZONE zone) - ((last_at - interval '3 hours') AT TIME ZONE zone)
                         = interval '3 hours'
                    THEN (last_at AT TIME ZONE zone)::date END AS last_on,
               (CAST(:now AS timestamptz) AT TIME ZONE zone)::date AS today
        FROM zone JOIN enrollment USING (id)
        WHERE {_IN_FORCE}
    ),
    seen AS (
        SELECT id, completion_percentage, is_finished, today, CASE WHEN last_on <= today THEN last_on ELSE (
                   SELECT max(day) FROM daily_activity
                   WHERE user_course_id = learner.id AND events > 0 AND day <= today
               ) END AS last_seen_on
        FROM learner
    )
    SELECT id, last_seen_on, completion_percentage, count(*) OVER () AS learners
    FROM seen
    WHERE today - last_seen_on >= :dormant_days AND NOT is_finished
    ORDER BY last_seen_on DESC, id LIMIT :limit
""")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Dormant:
    """The number of dormant learners, and those last seen most recently."""

    count: int
    latest: list[DormantLearner]


def read_dormant(
    connection: Connection, course_id: int, now: datetime, as_of: datetime | None, dormant_days: int, limit: int
) -> Dormant:
    """Return the dormant learners of a course, as `rules.streaks.is_dormant` defines, listing up to `limit`.

    Of the enrollments that its statistics, complete up to `as_of`, include; learners who completed the course are not
    dormant. Two queries; reads one row of each enrollment.
    """
    found = connection.execute(
        _DORMANT,
        {
            "course_id": course_id,
            "now": now,
            "as_of": as_of,
            "dormant_days": dormant_days,
            "limit": limit,
            "clocks": clocks_of_course(connection, course_id),
        },
    ).all()
    return Dormant(
        found[0].learners if found else 0,
        [DormantLearner(row.id, row.last_seen_on, row.completion_percentage) for row in found],
    )
