"""When each enrollment of a course was last seen and how far it is, for statements to select from."""

from worker.analytics.freshness import HAS_CURRENT_ACTIVITY, IS_INCLUDED
from worker.analytics.zone_history import ZONES, in_force

_IN_FORCE = in_force("CAST(:now AS timestamptz)")

# The last event is on the last active day, unless that is tomorrow for the learner, the time zone changed, or clocks
# were set in the hours before, perhaps back over midnight: then the stored days decide.
SEEN = f"""
    enrollment AS (
        SELECT enrollment.id, user_id, timezone, completion_percentage,
               (outline_version > 0 AND total_lessons > 0 AND completed_lessons = total_lessons) IS TRUE AS is_finished,
               (completed_lessons + in_progress_lessons > 0) IS TRUE AS is_started,
               {IS_INCLUDED} AS is_included,
               CASE WHEN {HAS_CURRENT_ACTIVITY} THEN last_at ELSE greatest(last_at, position_at) END AS last_at
        FROM user_course AS enrollment
        LEFT JOIN user_course_summary AS summary
            ON summary.user_course_id = enrollment.id AND summary.course_id = enrollment.course_id
        LEFT JOIN enrollment_activity AS activity ON activity.user_course_id = enrollment.id
        WHERE enrollment.course_id = :course_id
    ),
    {ZONES},
    learner AS (
        SELECT enrollment.*,
               CASE WHEN since = '-infinity' AND last_at < until
                     AND (last_at AT TIME ZONE zone) - ((last_at - interval '3 hours') AT TIME ZONE zone)
                         = interval '3 hours'
                    THEN (last_at AT TIME ZONE zone)::date END AS last_on,
               (CAST(:now AS timestamptz) AT TIME ZONE zone)::date AS today
        FROM zone JOIN enrollment USING (id)
        WHERE {_IN_FORCE}
    ),
    seen AS (
        SELECT learner.*, CASE WHEN last_at IS NULL OR last_on <= today THEN last_on ELSE (
                   SELECT max(day) FROM daily_activity
                   WHERE user_course_id = learner.id AND events > 0 AND day <= today
               ) END AS last_seen_on
        FROM learner
    )
"""  # noqa: S608 - constants
"""Of a CTE `seen`: `is_included` in the course's statistics, by the summary and activity stored. The last event of an
enrollment whose activity is stale is that of its position. Parameters: `course_id`, `now`, `as_of` of the statistics,
`clocks`."""
