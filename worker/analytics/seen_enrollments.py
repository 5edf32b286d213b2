"""When each enrollment of a course was last seen and how far it is, for statements to select from."""

from worker.analytics.freshness import ENROLLMENTS
from worker.analytics.zone_history import ZONES, in_force

_IN_FORCE = in_force("CAST(:now AS timestamptz)")

# The last event is on the last active day, unless that is tomorrow for the learner, the time zone changed, or clocks
# were set in the hours before, perhaps back over midnight: then the stored days decide.
SEEN = f"""
    {ENROLLMENTS},
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
"""Each `enrollment` of `freshness.ENROLLMENTS` with its `today` and `last_seen_on`, in a CTE `seen`.

Further parameters: `now`, and `clocks` of `zone_offsets`."""
