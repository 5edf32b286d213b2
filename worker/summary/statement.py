"""The statement that computes and stores the summaries of some enrollments, and takes their marks away.

Reference model in plain Python: `rules.summarize`.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.progress.ties import settle_ties
from worker.summary.percentage import percentage_sql

_ROWS = """
        SELECT enrollment.id, course_id, version, topic_id, lesson_id, status
        FROM enrollment JOIN user_course_progress ON user_course_id = enrollment.id
"""

# One row for all places of a lesson.
_MOVED_ROWS = """
        SELECT enrollment.id, enrollment.course_id, version, coalesce(moved.topic_id, its.topic_id) AS topic_id,
               coalesce(moved.lesson_id, its.lesson_id) AS lesson_id, max(status) AS status
        FROM enrollment JOIN user_course_progress AS its ON user_course_id = enrollment.id
        LEFT JOIN moved_lesson AS moved ON (moved.course_id, from_topic_id, from_lesson_id)
                                         = (enrollment.course_id, its.topic_id, its.lesson_id)
        GROUP BY 1, 2, 3, 4, 5
"""

# Neither this nor a claim by id tests `stale_since IS NOT NULL`: a planner that expects few stale rows would scan them
# all instead of using the ids.
# `ordinal` numbers the lessons that count from 1 to total in outline order; `here` is the current lesson's, or 1. The
# run of completed lessons from `here` on ends where the ordinal differs from the row number; the next lesson follows
# it. Example: of four lessons, 1 to 3 completed and 2 current, the run is 2 and 3, and 4 is next.
_REFRESH_SQL = """
    WITH enrollment AS MATERIALIZED (
        SELECT enrollment.id, enrollment.course_id, coalesce(course.version, 0) AS version,
               coalesce(moved.topic_id, current_topic) AS current_topic,
               coalesce(moved.lesson_id, current_lesson) AS current_lesson,
               current_section, position_at, enrollment.stale_since
        FROM user_course AS enrollment LEFT JOIN course ON course.id = course_id
        LEFT JOIN moved_lesson AS moved ON (moved.course_id, from_topic_id, from_lesson_id)
                                         = (enrollment.course_id, current_topic, current_lesson)
        WHERE enrollment.id = ANY(CAST(:ids AS bigint[]))
    ),
    outline AS MATERIALIZED (
        SELECT course_id, topic_id, lesson_id, ordinal FROM course_lesson
        WHERE course_id IN (SELECT course_id FROM enrollment)
    ),
    row AS MATERIALIZED ({rows}),
    lesson AS MATERIALIZED ( -- rows of lessons that count
        SELECT id, topic_id, lesson_id, status, ordinal FROM row JOIN outline USING (course_id, topic_id, lesson_id)
        UNION ALL
        SELECT id, topic_id, lesson_id, status, row_number() OVER (PARTITION BY id ORDER BY topic_id, lesson_id)
        FROM row WHERE version = 0
    ),
    counted AS (
        SELECT id, count(*) AS lessons, count(*) FILTER (WHERE status = 'completed') AS completed,
               count(*) FILTER (WHERE status = 'in_progress') AS in_progress
        FROM lesson GROUP BY id
    ),
    size AS (
        SELECT course_id, count(*) AS lessons FROM outline GROUP BY course_id
    ),
    placed AS MATERIALIZED (
        SELECT enrollment.id, enrollment.course_id, enrollment.version, position_at,
               reached.topic_id AS current_topic, reached.lesson_id AS current_lesson,
               CASE WHEN reached.id IS NOT NULL THEN current_section END AS current_section,
               lesson.ordinal IS NOT NULL AS is_placed, coalesce(lesson.ordinal, 1) AS here,
               coalesce(CASE WHEN enrollment.version = 0 THEN counted.lessons ELSE size.lessons END, 0) AS total,
               coalesce(completed, 0) AS completed, coalesce(in_progress, 0) AS in_progress
        FROM enrollment
        LEFT JOIN row AS reached ON (reached.id, reached.topic_id, reached.lesson_id)
                                  = (enrollment.id, current_topic, current_lesson) AND reached.status <> 'not_started'
        LEFT JOIN lesson ON (lesson.id, lesson.topic_id, lesson.lesson_id)
                          = (reached.id, reached.topic_id, reached.lesson_id)
        LEFT JOIN counted ON counted.id = enrollment.id
        LEFT JOIN size ON size.course_id = enrollment.course_id
    ),
    run AS (
        SELECT id, count(*) FILTER (WHERE onward AND ordinal = here + nth - 1) AS onward,
               count(*) FILTER (WHERE NOT onward AND ordinal = nth) AS before
        FROM (
            SELECT id, ordinal, here, ordinal >= here AS onward,
                   row_number() OVER (PARTITION BY id, ordinal >= here ORDER BY ordinal) AS nth
            FROM lesson JOIN placed USING (id) WHERE status = 'completed'
        ) AS done
        GROUP BY id
    ),
    following AS (
        SELECT placed.*,
               CASE WHEN here + coalesce(onward, 0) <= total THEN here + coalesce(onward, 0)
                    WHEN coalesce(before, 0) + 1 < here THEN coalesce(before, 0) + 1 END AS next
        FROM placed LEFT JOIN run USING (id)
    ),
    marked AS (
        INSERT INTO course_change (course_id, changed_at)
        SELECT course_id, min(coalesce(stale_since, now())) FROM enrollment WHERE course_id IS NOT NULL
        GROUP BY course_id
    ),
    marked_activity AS (
        INSERT INTO activity_change (user_course_id, changed_at)
        SELECT id, stale_since FROM enrollment WHERE stale_since IS NOT NULL
    ),
    shown AS (
        DELETE FROM enrollment_change WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
    ),
    settled AS (
        UPDATE user_course AS known SET stale_since = NULL
        FROM enrollment WHERE known.id = enrollment.id AND enrollment.stale_since IS NOT NULL
    )
    INSERT INTO user_course_summary (
        user_course_id, course_id, outline_version, total_lessons, completed_lessons, in_progress_lessons,
        not_started_lessons, completion_percentage, current_topic_id, current_lesson_id, current_section_id,
        next_topic_id, next_lesson_id, next_reason, last_activity_at
    )
    SELECT following.id, following.course_id, version, total, completed, in_progress, total - completed - in_progress,
           {completion_percentage}, current_topic, current_lesson, current_section,
           coalesce(outline.topic_id, lesson.topic_id), coalesce(outline.lesson_id, lesson.lesson_id),
           CASE WHEN next < here OR NOT is_placed AND next IS NOT NULL THEN 'not_completed'
                WHEN next = here THEN 'current' WHEN next > here THEN 'after_current' END,
           position_at
    FROM following
    LEFT JOIN outline ON (outline.course_id, outline.ordinal) = (following.course_id, next)
    LEFT JOIN lesson ON (lesson.id, lesson.ordinal) = (following.id, next)
    ON CONFLICT (user_course_id) DO UPDATE
    SET (course_id, outline_version, total_lessons, completed_lessons, in_progress_lessons, not_started_lessons,
         completion_percentage, current_topic_id, current_lesson_id, current_section_id, next_topic_id, next_lesson_id,
         next_reason, last_activity_at, refreshed_at)
      = (excluded.course_id, excluded.outline_version, excluded.total_lessons, excluded.completed_lessons,
         excluded.in_progress_lessons, excluded.not_started_lessons, excluded.completion_percentage,
         excluded.current_topic_id, excluded.current_lesson_id, excluded.current_section_id, excluded.next_topic_id,
         excluded.next_lesson_id, excluded.next_reason, excluded.last_activity_at, now())
"""

_PERCENTAGE = percentage_sql("completed", "total")
_OF_PLACES = _REFRESH_SQL.format(rows=_ROWS, completion_percentage=_PERCENTAGE)
_OF_MOVED = _REFRESH_SQL.format(rows=_MOVED_ROWS, completion_percentage=_PERCENTAGE)

_REFRESH = {False: text(f"{_OF_PLACES}"), True: text(f"{_OF_MOVED}")}
"""By whether any of the courses has moved lessons, so that the others do not pay for looking them up."""

_HAS_MOVED = text("""
    SELECT EXISTS (
        SELECT FROM moved_lesson
        WHERE course_id IN (SELECT course_id FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])))
    )
""")


def compute_summaries(connection: Connection, ids: Sequence[int]) -> None:
    """Compute and store the summaries of these claimed enrollments, and take their marks away.

    Outlines must be held. Three statements, whatever the number: ties of positions are settled first. Marks the
    statistics of their courses, and the activity of those that changed, with the time of the change.
    """
    settle_ties(connection, ids)
    has_moved = bool(connection.scalar(_HAS_MOVED, {"ids": list(ids)}))
    connection.execute(_REFRESH[has_moved], {"ids": list(ids)})
