"""The statement that computes and stores the statistics of a course: one statement, so exact for one instant.

Reference model in plain Python: `rules.completion_statistics` and `rules.time_statistics`.
"""

from sqlalchemy import Connection, text

from worker.analytics.activity_fragments import monday
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.zone_history import ZONES, in_force
from worker.analytics.zone_offsets import clocks_of_course
from worker.database.engine import without_jit
from worker.summary.percentage import percentage_sql

_COMPLETION_RATE = percentage_sql("completed", "enrollments")
_IN_FORCE = in_force("completed_at")
_MONDAY = monday("day")

# Seconds are summed as whole microseconds, so that the order of rows does not change a sum.
_REFRESH = text(f"""
    WITH enrollment AS MATERIALIZED (
        SELECT id, position_at, timezone FROM user_course WHERE course_id = :course_id
    ),
    {ZONES},
    outline AS MATERIALIZED (
        SELECT topic_id, lesson_id, ordinal FROM course_lesson WHERE course_id = :course_id
    ),
    outlined AS (
        SELECT EXISTS (SELECT FROM course WHERE id = :course_id) AS is_outlined
    ),
    place AS MATERIALIZED ( -- of lessons that moved: each former place, and the present one
        SELECT from_topic_id, from_lesson_id, topic_id, lesson_id FROM moved_lesson WHERE course_id = :course_id
        UNION
        SELECT topic_id, lesson_id, topic_id, lesson_id FROM moved_lesson WHERE course_id = :course_id
    ),
    moved_row AS (
        SELECT its.*, place.topic_id AS live_topic_id, place.lesson_id AS live_lesson_id,
               min(completed_at) OVER (PARTITION BY user_course_id, place.topic_id, place.lesson_id)
                   AS first_completed_at
        FROM place CROSS JOIN enrollment
        JOIN user_course_progress AS its
          ON (user_course_id, its.topic_id, its.lesson_id) = (enrollment.id, from_topic_id, from_lesson_id)
    ),
    row AS MATERIALIZED ( -- rows of lessons that count; without an outline, ordered by topic and lesson alone
        SELECT progress.user_course_id, topic_id, lesson_id, ordinal, status, last_viewed_at,
               CASE WHEN status = 'completed' THEN completed_at END AS completed_at,
               seconds, measured_seconds, visits, first_visit_at, visits_to_complete
        FROM enrollment
        JOIN user_course_progress AS progress ON progress.user_course_id = enrollment.id
        LEFT JOIN lesson_activity USING (user_course_id, topic_id, lesson_id)
        LEFT JOIN outline USING (topic_id, lesson_id)
        WHERE (ordinal IS NOT NULL OR NOT (SELECT is_outlined FROM outlined))
          AND (topic_id, lesson_id) NOT IN (SELECT topic_id, lesson_id FROM place)
        UNION ALL
        SELECT user_course_id, live_topic_id, live_lesson_id, ordinal, max(status), max(last_viewed_at),
               CASE WHEN max(status) = 'completed' THEN first_completed_at END,
               (sum((1e6 * seconds)::bigint) / 1e6)::float8, (sum((1e6 * measured_seconds)::bigint) / 1e6)::float8,
               sum(visits)::int, min(first_visit_at),
               sum(CASE WHEN completed_at = first_completed_at THEN visits_to_complete
                        WHEN last_visit_at <= first_completed_at THEN visits ELSE 0 END)::int
        FROM moved_row
        LEFT JOIN lesson_activity USING (user_course_id, topic_id, lesson_id)
        JOIN outline ON (outline.topic_id, outline.lesson_id) = (live_topic_id, live_lesson_id)
        GROUP BY user_course_id, live_topic_id, live_lesson_id, ordinal, first_completed_at
    ),
    learner AS MATERIALIZED (
        SELECT user_course_id, count(*) FILTER (WHERE status <> 'not_started') AS started,
               count(*) FILTER (WHERE status = 'completed') AS completed,
               count(completed_at) AS known, max(completed_at) AS completed_at
        FROM row GROUP BY user_course_id
    ),
    completer AS MATERIALIZED ( -- of the whole course; none without an outline
        SELECT user_course_id, CASE WHEN known = completed THEN completed_at END AS completed_at
        FROM learner WHERE completed > 0 AND completed = (SELECT count(*) FROM outline)
    ),
    counted AS MATERIALIZED (
        SELECT topic_id, lesson_id, count(*) FILTER (WHERE status <> 'not_started') AS started,
               count(*) FILTER (WHERE status = 'completed') AS completed, max(last_viewed_at) AS last_viewed_at,
               coalesce(sum(visits), 0) AS visits, coalesce(sum((1e6 * seconds)::bigint), 0) AS us,
               coalesce(sum((1e6 * measured_seconds)::bigint), 0) AS measured_us,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)
                   FILTER (WHERE status = 'completed' AND seconds > 0) AS median_seconds,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY visits_to_complete)
                   FILTER (WHERE status = 'completed' AND visits_to_complete > 0) AS median_visits_to_complete,
               percentile_cont(0.5) WITHIN GROUP (
                   ORDER BY extract(epoch FROM completed_at - first_visit_at)::float8 / 86400
               ) FILTER (WHERE completed_at >= first_visit_at) AS median_days
        FROM row GROUP BY topic_id, lesson_id
    ),
    lesson AS MATERIALIZED (
        SELECT * FROM counted
        UNION ALL
        SELECT topic_id, lesson_id, 0, 0, NULL, 0, 0, 0, NULL, NULL, NULL FROM outline
        WHERE (topic_id, lesson_id) NOT IN (SELECT topic_id, lesson_id FROM counted)
    ),
    stopping AS (
        SELECT topic_id, lesson_id, count(*) FILTER (WHERE started_later = 0) AS stopped,
               count(*) FILTER (
                   WHERE (ranked.visits >= :stuck_visits
                          OR (median_seconds > 0 AND ranked.seconds > :stuck_factor * median_seconds))
                     AND first_visit_at > coalesce(went_on_at, '-infinity')
               ) AS stuck
        FROM (
            SELECT topic_id, lesson_id, status, visits, seconds, first_visit_at,
                   count(*) FILTER (WHERE status <> 'not_started') OVER later AS started_later,
                   max(completed_at) OVER later AS went_on_at
            FROM row
            WINDOW later AS (
                PARTITION BY user_course_id ORDER BY ordinal DESC, topic_id DESC, lesson_id DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        ) AS ranked
        JOIN counted USING (topic_id, lesson_id)
        WHERE status = 'in_progress'
        GROUP BY topic_id, lesson_id
    ),
    size AS (
        SELECT count(*) AS enrollments, max(position_at) AS last_activity_at FROM enrollment
    ),
    activity AS MATERIALIZED (
        SELECT activity.* FROM enrollment_activity AS activity JOIN enrollment ON id = user_course_id
    ),
    hours AS (
        SELECT coalesce(array_agg(events::int ORDER BY hour), array_fill(0, ARRAY[168])) AS events_by_hour
        FROM (
            SELECT hour, sum(each.events) AS events
            FROM activity CROSS JOIN LATERAL unnest(events_by_hour) WITH ORDINALITY AS each (events, hour)
            GROUP BY hour
        ) AS hour
    ),
    week AS MATERIALIZED (
        SELECT monday, sum(completed)::int AS completed, sum(learners)::int AS learners, sum(us) AS us,
               sum(measured_us) AS measured_us
        FROM (
            SELECT {_MONDAY} AS monday, count(*) AS completed, 0 AS learners,
                   0 AS us, 0 AS measured_us
            FROM (
                SELECT (completed_at AT TIME ZONE zone)::date AS day
                FROM row JOIN zone ON id = user_course_id AND {_IN_FORCE}
            ) AS completion
            GROUP BY monday
            UNION ALL
            SELECT {_MONDAY} AS monday, 0,
                   count(DISTINCT user_course_id) FILTER (WHERE events > 0),
                   sum((1e6 * seconds)::bigint), sum((1e6 * measured_seconds)::bigint)
            FROM daily_activity JOIN enrollment ON id = user_course_id
            GROUP BY monday
        ) AS part
        GROUP BY monday
    ),
    stored AS (
        INSERT INTO course_statistics AS known
            (course_id, enrollments, started, completed, completion_rate, last_activity_at, as_of)
        SELECT :course_id, enrollments, started, completed,
               {_COMPLETION_RATE}, last_activity_at,
               statement_timestamp()
        FROM size
        CROSS JOIN (SELECT count(*) FILTER (WHERE started > 0) AS started FROM learner) AS started
        CROSS JOIN (SELECT count(*) AS completed FROM completer) AS completed
        ON CONFLICT (course_id) DO UPDATE
        SET (enrollments, started, completed, completion_rate, last_activity_at, as_of)
          = (excluded.enrollments, excluded.started, excluded.completed, excluded.completion_rate,
             excluded.last_activity_at, excluded.as_of)
    ),
    stored_figures AS (
        INSERT INTO course_figures AS known (
            course_id, seconds, measured_seconds, sessions, session_seconds, events_by_hour, median_days
        )
        SELECT :course_id, us / 1e6, measured_us / 1e6, sessions, session_us / 1e6, events_by_hour, median_days
        FROM (
            SELECT coalesce(sum((1e6 * seconds)::bigint), 0) AS us,
                   coalesce(sum((1e6 * measured_seconds)::bigint), 0) AS measured_us,
                   coalesce(sum(sessions), 0) AS sessions,
                   coalesce(sum((1e6 * session_seconds)::bigint), 0) AS session_us
            FROM activity
        ) AS total
        CROSS JOIN hours
        CROSS JOIN (
            SELECT percentile_cont(0.5) WITHIN GROUP (
                       ORDER BY extract(epoch FROM completed_at - first_at)::float8 / 86400
                   ) FILTER (WHERE completed_at >= first_at) AS median_days
            FROM completer JOIN activity USING (user_course_id)
        ) AS median
        ON CONFLICT (course_id) DO UPDATE
        SET (seconds, measured_seconds, sessions, session_seconds, events_by_hour, median_days)
          = (excluded.seconds, excluded.measured_seconds, excluded.sessions, excluded.session_seconds,
             excluded.events_by_hour, excluded.median_days)
        WHERE (known.seconds, known.measured_seconds, known.sessions, known.session_seconds, known.events_by_hour,
               known.median_days)
            IS DISTINCT FROM (excluded.seconds, excluded.measured_seconds, excluded.sessions, excluded.session_seconds,
                              excluded.events_by_hour, excluded.median_days)
    ),
    removed_weeks AS (
        DELETE FROM week_figures
        WHERE course_id = :course_id AND monday NOT IN (SELECT monday FROM week)
    ),
    stored_weeks AS (
        INSERT INTO week_figures AS known (course_id, monday, completed, learners, seconds, measured_seconds)
        SELECT :course_id, monday, completed, learners, us / 1e6, measured_us / 1e6 FROM week
        ON CONFLICT (course_id, monday) DO UPDATE
        SET (completed, learners, seconds, measured_seconds)
          = (excluded.completed, excluded.learners, excluded.seconds, excluded.measured_seconds)
        WHERE (known.completed, known.learners, known.seconds, known.measured_seconds)
           <> (excluded.completed, excluded.learners, excluded.seconds, excluded.measured_seconds)
    ),
    removed AS ( -- and its `lesson_figures`, by cascade
        DELETE FROM lesson_statistics
        WHERE course_id = :course_id AND (topic_id, lesson_id) NOT IN (SELECT topic_id, lesson_id FROM lesson)
    ),
    stored_lessons AS (
        INSERT INTO lesson_statistics AS known
            (course_id, topic_id, lesson_id, enrollments, started, completed, completion_rate, last_activity_at)
        SELECT :course_id, topic_id, lesson_id, enrollments, started, completed,
               {_COMPLETION_RATE}, last_viewed_at
        FROM lesson CROSS JOIN size
        ON CONFLICT (course_id, topic_id, lesson_id) DO UPDATE
        SET (enrollments, started, completed, completion_rate, last_activity_at)
          = (excluded.enrollments, excluded.started, excluded.completed, excluded.completion_rate,
             excluded.last_activity_at)
        WHERE (known.enrollments, known.started, known.completed, known.completion_rate, known.last_activity_at)
            IS DISTINCT FROM (excluded.enrollments, excluded.started, excluded.completed, excluded.completion_rate,
                              excluded.last_activity_at)
    )
    INSERT INTO lesson_figures AS known (
        course_id, topic_id, lesson_id, stopped, stuck, visits, seconds, measured_seconds, median_seconds,
        median_visits_to_complete, median_days
    )
    SELECT :course_id, topic_id, lesson_id, coalesce(stopped, 0), coalesce(stuck, 0), visits, us / 1e6,
           measured_us / 1e6, median_seconds, median_visits_to_complete, median_days
    FROM lesson LEFT JOIN stopping USING (topic_id, lesson_id)
    ON CONFLICT (course_id, topic_id, lesson_id) DO UPDATE
    SET (stopped, stuck, visits, seconds, measured_seconds, median_seconds, median_visits_to_complete, median_days)
      = (excluded.stopped, excluded.stuck, excluded.visits, excluded.seconds, excluded.measured_seconds,
         excluded.median_seconds, excluded.median_visits_to_complete, excluded.median_days)
    WHERE (known.stopped, known.stuck, known.visits, known.seconds, known.measured_seconds, known.median_seconds,
           known.median_visits_to_complete, known.median_days)
        IS DISTINCT FROM (excluded.stopped, excluded.stuck, excluded.visits, excluded.seconds,
                          excluded.measured_seconds, excluded.median_seconds, excluded.median_visits_to_complete,
                          excluded.median_days)
""")  # noqa: S608 - constants


def compute_statistics(connection: Connection, course_id: int, thresholds: StuckThresholds) -> None:
    """Compute and store the statistics of a claimed course."""
    without_jit(connection)
    given = {
        "course_id": course_id,
        "stuck_visits": thresholds.visits,
        "stuck_factor": thresholds.factor,
        "clocks": clocks_of_course(connection, course_id),
    }
    connection.execute(_REFRESH, given)
