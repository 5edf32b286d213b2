"""The statement that computes and stores the activity of some enrollments.

Reference model in plain Python: `rules.activity`.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.analytics.activity_fragments import COVERED, IDLE, ORDER, SPENT, STRETCHES, begins_after, weekday
from worker.analytics.rules.activity import DOUBTFUL
from worker.analytics.zone_history import ZONES, in_force
from worker.analytics.zone_offsets import clocks_of
from worker.database.engine import without_jit

_BEGINS_SESSION, _BEGINS_VISIT = begins_after("previous_at"), begins_after("previous_of_lesson_at")
_IN_FORCE = in_force("occurred_at")
_WEEKDAY = weekday("at")

# A stretch over midnight is cut at every quarter of an hour, one with a clock change at every minute. Since 1980 each
# zone's date has changed at one of these moments, so a piece is on the day of its start.
_REFRESH = text(f"""
    WITH enrollment AS MATERIALIZED (SELECT id, timezone FROM user_course WHERE id = ANY(CAST(:ids AS bigint[]))),
    {ZONES},
    cutoff AS (SELECT {IDLE}),
    ordered AS (
        SELECT user_course_id, topic_id, lesson_id, occurred_at, duration_seconds,
               lead(occurred_at) OVER by_enrollment AS next_at, lag(occurred_at) OVER by_enrollment AS previous_at,
               lag(occurred_at) OVER by_lesson AS previous_of_lesson_at, row_number() OVER by_enrollment AS nth
        FROM lesson_event
        WHERE user_course_id = ANY(CAST(:ids AS bigint[])) AND type <> 'corrected'
        WINDOW by_enrollment AS (PARTITION BY user_course_id ORDER BY {ORDER}),
               by_lesson AS (PARTITION BY user_course_id, topic_id, lesson_id ORDER BY {ORDER})
    ),
    event AS MATERIALIZED (
        SELECT user_course_id, nth, topic_id, lesson_id, occurred_at, completed_at,
               {COVERED},
               {_BEGINS_SESSION} AS begins_session, {_BEGINS_VISIT} AS begins_visit
        FROM ordered CROSS JOIN cutoff
        LEFT JOIN user_course_progress AS progress USING (user_course_id, topic_id, lesson_id)
    ),
    covered AS MATERIALIZED ( -- by lesson, by topic, and by enrollment
        SELECT GROUPING(topic_id, lesson_id) AS level, user_course_id, topic_id, lesson_id,
               {STRETCHES},
               count(*) FILTER (WHERE begins_visit) AS visits,
               min(occurred_at) AS first_at, max(occurred_at) AS last_at,
               max(occurred_at) FILTER (WHERE begins_visit) AS last_visit_at,
               CASE WHEN max(completed_at) IS NOT NULL
                    THEN count(*) FILTER (WHERE begins_visit AND occurred_at <= completed_at) END AS visits_to_complete
        FROM event
        GROUP BY GROUPING SETS ((user_course_id, topic_id, lesson_id), (user_course_id, topic_id), (user_course_id))
    ),
    spent AS MATERIALIZED (
        SELECT covered.*, {SPENT} FROM covered
    ),
    session AS (
        SELECT user_course_id, max(ends_at) - min(starts_at) AS length
        FROM (
            SELECT *, count(*) FILTER (WHERE begins_session) OVER (
                PARTITION BY user_course_id ORDER BY nth ROWS UNBOUNDED PRECEDING
            ) AS number
            FROM event
        ) AS numbered
        GROUP BY user_course_id, number
    ),
    sessions AS (
        SELECT user_course_id, count(*) AS sessions, extract(epoch FROM sum(length))::float8 AS session_seconds
        FROM session GROUP BY user_course_id
    ),
    local AS MATERIALIZED (
        SELECT user_course_id, occurred_at AT TIME ZONE zone AS at,
               occurred_at < made_at - make_interval(secs => :doubtful_seconds) AS is_doubtful
        FROM event JOIN zone ON id = user_course_id AND {_IN_FORCE}
    ),
    hour AS (
        SELECT user_course_id, 24 * {_WEEKDAY} + extract(hour FROM at)::int AS hour,
               count(*)::int AS events, count(*) FILTER (WHERE is_doubtful) AS doubtful_events
        FROM local GROUP BY 1, 2
    ),
    hours AS (
        SELECT id AS user_course_id, array_agg(coalesce(events, 0) ORDER BY each.hour) AS events_by_hour,
               coalesce(sum(doubtful_events), 0)::int AS doubtful_events
        FROM enrollment CROSS JOIN generate_series(0, 167) AS each (hour)
        LEFT JOIN hour ON (hour.user_course_id, hour.hour) = (id, each.hour)
        GROUP BY id
    ),
    stretch AS ( -- in one zone
        SELECT user_course_id, zone, is_measured, stretch
        FROM covered JOIN zone ON id = user_course_id
        CROSS JOIN LATERAL (VALUES (tstzmultirange(tstzrange(since, until)))) AS its_time (during)
        CROSS JOIN LATERAL (
            SELECT unnest(stretches * during), false UNION ALL SELECT unnest(measured_stretches * during), true
        ) AS its (stretch, is_measured)
        WHERE level = 3
    ),
    timed AS (
        SELECT user_course_id, zone, is_measured, stretch, lower(stretch) AT TIME ZONE zone AS starts_at,
               upper(stretch) AT TIME ZONE zone AS ends_at, upper(stretch) - lower(stretch) AS length
        FROM stretch OFFSET 0 -- so that each is computed once
    ),
    piece AS (
        SELECT user_course_id, zone, is_measured, unnest(
            CASE WHEN starts_at::date = ends_at::date AND ends_at - starts_at = length THEN ARRAY[stretch]
                 ELSE ARRAY(
                     SELECT stretch * tstzrange(at, at + step)
                     FROM (VALUES (CASE WHEN ends_at - starts_at = length THEN interval '15 min'
                                        ELSE '1 min' END)) AS cut (step)
                     CROSS JOIN generate_series(
                         date_bin(step, lower(stretch), timestamptz 'epoch'), upper(stretch) - interval '1 us', step
                     ) AS at
                 ) END
        ) AS piece
        FROM timed
    ),
    day AS MATERIALIZED (
        SELECT user_course_id, day, coalesce(extract(epoch FROM sum(length)), 0)::float8 AS seconds,
               coalesce(extract(epoch FROM sum(measured_length)), 0)::float8 AS measured_seconds,
               coalesce(sum(events), 0)::int AS events
        FROM (
            SELECT user_course_id, (lower(piece) AT TIME ZONE zone)::date AS day,
                   CASE WHEN NOT is_measured THEN upper(piece) - lower(piece) END AS length,
                   CASE WHEN is_measured THEN upper(piece) - lower(piece) END AS measured_length, 0 AS events
            FROM piece
            UNION ALL
            SELECT user_course_id, at::date, NULL, NULL, count(*) FROM local GROUP BY 1, 2
        ) AS part
        GROUP BY user_course_id, day
    ),
    removed_lessons AS (
        DELETE FROM lesson_activity
        WHERE user_course_id = ANY(CAST(:ids AS bigint[])) AND (user_course_id, topic_id, lesson_id) NOT IN (
            SELECT user_course_id, topic_id, lesson_id FROM covered WHERE level = 0
        )
    ),
    removed_topics AS (
        DELETE FROM topic_activity
        WHERE user_course_id = ANY(CAST(:ids AS bigint[])) AND (user_course_id, topic_id) NOT IN (
            SELECT user_course_id, topic_id FROM covered WHERE level = 1
        )
    ),
    removed_days AS (
        DELETE FROM daily_activity
        WHERE user_course_id = ANY(CAST(:ids AS bigint[])) AND (user_course_id, day) NOT IN (
            SELECT user_course_id, day FROM day
        )
    ),
    stored_lessons AS (
        INSERT INTO lesson_activity AS known (
            user_course_id, topic_id, lesson_id, seconds, measured_seconds, visits, first_visit_at, last_visit_at,
            visits_to_complete
        )
        SELECT user_course_id, topic_id, lesson_id, seconds, measured_seconds, visits, first_at, last_visit_at,
               visits_to_complete
        FROM spent WHERE level = 0
        ON CONFLICT (user_course_id, topic_id, lesson_id) DO UPDATE
        SET (seconds, measured_seconds, visits, first_visit_at, last_visit_at, visits_to_complete)
          = (excluded.seconds, excluded.measured_seconds, excluded.visits, excluded.first_visit_at,
             excluded.last_visit_at, excluded.visits_to_complete)
        WHERE (known.seconds, known.measured_seconds, known.visits, known.first_visit_at, known.last_visit_at,
               known.visits_to_complete)
            IS DISTINCT FROM (excluded.seconds, excluded.measured_seconds, excluded.visits, excluded.first_visit_at,
                              excluded.last_visit_at, excluded.visits_to_complete)
    ),
    stored_topics AS (
        INSERT INTO topic_activity AS known (user_course_id, topic_id, seconds, measured_seconds)
        SELECT user_course_id, topic_id, seconds, measured_seconds FROM spent WHERE level = 1
        ON CONFLICT (user_course_id, topic_id) DO UPDATE
        SET (seconds, measured_seconds) = (excluded.seconds, excluded.measured_seconds)
        WHERE (known.seconds, known.measured_seconds) <> (excluded.seconds, excluded.measured_seconds)
    ),
    stored_days AS (
        INSERT INTO daily_activity AS known (user_course_id, day, seconds, measured_seconds, events)
        SELECT user_course_id, day, seconds, measured_seconds, events FROM day
        ON CONFLICT (user_course_id, day) DO UPDATE
        SET (seconds, measured_seconds, events) = (excluded.seconds, excluded.measured_seconds, excluded.events)
        WHERE (known.seconds, known.measured_seconds, known.events)
           <> (excluded.seconds, excluded.measured_seconds, excluded.events)
    )
    INSERT INTO enrollment_activity (
        user_course_id, seconds, measured_seconds, sessions, session_seconds, first_at, last_at, events_by_hour,
        doubtful_events
    )
    SELECT id, coalesce(seconds, 0), coalesce(measured_seconds, 0), coalesce(sessions, 0),
           coalesce(session_seconds, 0), first_at, last_at, events_by_hour, doubtful_events
    FROM enrollment
    JOIN hours ON hours.user_course_id = id
    LEFT JOIN sessions ON sessions.user_course_id = id
    LEFT JOIN spent ON spent.user_course_id = id AND level = 3
    ON CONFLICT (user_course_id) DO UPDATE
    SET (seconds, measured_seconds, sessions, session_seconds, first_at, last_at, events_by_hour, doubtful_events,
         refreshed_at)
      = (excluded.seconds, excluded.measured_seconds, excluded.sessions, excluded.session_seconds, excluded.first_at,
         excluded.last_at, excluded.events_by_hour, excluded.doubtful_events, now())
""")  # noqa: S608 - constants


def compute_activity(connection: Connection, ids: Sequence[int], idle_cutoff_seconds: float) -> None:
    """Compute and store the activity of these claimed enrollments, in one statement, whatever the number.

    Reads their whole ledger; writes only the lessons, topics and days that changed.
    """
    without_jit(connection)
    given = {"idle_cutoff_seconds": idle_cutoff_seconds, "doubtful_seconds": DOUBTFUL.total_seconds()}
    connection.execute(_REFRESH, {"ids": list(ids), "clocks": clocks_of(connection, ids), **given})
