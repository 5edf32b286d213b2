"""Refresh stored summaries: claim some stale enrolments, then compute and store their summaries in one statement.

All in the caller's transaction: `outline.hold_outlines`, claim, `refresh`, commit. Until then the claimed rows are
locked, as they are while events are recorded: nothing slips in between what a summary shows and the mark that goes.
The same rules in plain Python: `worker.domain.summary.summarise`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.storage.enrollment import wait_for_enrollment
from worker.storage.ledger import settle_ties
from worker.storage.percentage import percentage

# Here and below: one that failed is left to `longest_failed`.
_CLAIM_CHANGED = text("""
    SELECT id FROM user_course
    WHERE stale_since IS NOT NULL
      AND id <> ALL(ARRAY(SELECT user_course_id FROM enrollment_change WHERE failed_at IS NOT NULL))
    ORDER BY stale_since LIMIT :limit
    FOR NO KEY UPDATE SKIP LOCKED
""")

# The oldest changes are those that every run passed over; at random, as an LMS may hold many of them.
_LATE = text("""
    SELECT id FROM (
        SELECT id FROM user_course
        WHERE stale_since < now() - make_interval(secs => :seconds)
          AND id <> ALL(ARRAY(SELECT user_course_id FROM enrollment_change WHERE failed_at IS NOT NULL))
        ORDER BY stale_since LIMIT 1000
    ) AS late
    ORDER BY random() LIMIT :limit
""")

_CLAIM_MARKED = text("""
    SELECT enrollment.id FROM user_course AS enrollment
    WHERE id = ANY(ARRAY(
        SELECT DISTINCT user_course_id FROM (
            SELECT user_course_id FROM enrollment_change WHERE id > :after ORDER BY id LIMIT 20 * :limit
        ) AS page -- of one enrollment there may be many marks
        EXCEPT SELECT user_course_id FROM enrollment_change WHERE failed_at IS NOT NULL
    ))
    LIMIT :limit
    FOR NO KEY UPDATE SKIP LOCKED
""")

_END_OF_PAGE = text("""
    SELECT max(id) FROM (SELECT id FROM enrollment_change WHERE id > :after ORDER BY id LIMIT 20 * :limit) AS page
""")

_CLAIM_ONE = text("SELECT id FROM user_course WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED")

_LONGEST_FAILED = text("""
    SELECT user_course_id FROM enrollment_change
    WHERE failed_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM enrollment_change WHERE failed_at BETWEEN now() - make_interval(secs => :seconds) AND now()
    )
    ORDER BY failed_at LIMIT 1
""")

_MARK_FAILED = text("""
    WITH known AS (
        DELETE FROM enrollment_change
        WHERE id = ANY(ARRAY(
            SELECT id FROM enrollment_change WHERE user_course_id = :id AND failed_at IS NOT NULL
            FOR UPDATE SKIP LOCKED
        ))
    )
    INSERT INTO enrollment_change (user_course_id, failed_at)
    SELECT id, now() FROM user_course WHERE id = :id FOR KEY SHARE SKIP LOCKED
""")

_STALE_COURSES = text("""
    SELECT id, version FROM course
    WHERE stale_since IS NOT NULL AND EXISTS (
        SELECT FROM user_course_summary WHERE course_id = course.id AND outline_version < course.version
    )
    ORDER BY stale_since
""")

_CLAIM_OUTLINED = text("""
    SELECT enrollment.id
    FROM user_course_summary AS summary JOIN user_course AS enrollment ON enrollment.id = summary.user_course_id
    WHERE summary.course_id = :course_id AND summary.outline_version < :version
      AND id <> ALL(ARRAY(SELECT user_course_id FROM enrollment_change WHERE failed_at IS NOT NULL))
    ORDER BY summary.outline_version LIMIT :limit -- as the index has them
    FOR NO KEY UPDATE OF enrollment SKIP LOCKED
""")

_SETTLE = text("""
    UPDATE course SET stale_since = NULL
    WHERE id = ANY(ARRAY(
        SELECT id FROM course
        WHERE stale_since IS NOT NULL AND NOT EXISTS (
            SELECT FROM user_course_summary WHERE course_id = course.id AND outline_version < course.version
        )
        FOR NO KEY UPDATE SKIP LOCKED
    ))
""")

_ROWS = """
        SELECT enrollment.id, course_id, version, topic_id, lesson_id, status
        FROM enrollment JOIN user_course_progress ON user_course_id = enrollment.id
"""

# One for all places of a lesson.
_MOVED_ROWS = """
        SELECT enrollment.id, enrollment.course_id, version, coalesce(moved.topic_id, its.topic_id) AS topic_id,
               coalesce(moved.lesson_id, its.lesson_id) AS lesson_id, max(status) AS status
        FROM enrollment JOIN user_course_progress AS its ON user_course_id = enrollment.id
        LEFT JOIN moved_lesson AS moved ON (moved.course_id, from_topic_id, from_lesson_id)
                                         = (enrollment.course_id, its.topic_id, its.lesson_id)
        GROUP BY 1, 2, 3, 4, 5
"""

# Neither this nor a claim by id asks for `stale_since IS NOT NULL` beside the ids: a planner that believes few to be
# stale would go through all that are.
# Of the lessons that count, `ordinal` numbers 1 to total in the outline's order; `here` is the current one's, else 1.
# A run of completed ones from there on is as long as ordinals equal their row number; the next lesson follows it. Of
# four lessons with 1, 2 and 3 completed and 2 the current one: the run of 2 and 3 is 2 long, and 4 next.
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

_REFRESH = {
    has_moved: text(_REFRESH_SQL.format(rows=rows, completion_percentage=percentage("completed", "total")))
    for has_moved, rows in {False: _ROWS, True: _MOVED_ROWS}.items()
}
"""By whether some of the courses have lessons that moved."""

_HAS_MOVED = text("""
    SELECT EXISTS (
        SELECT FROM moved_lesson
        WHERE course_id IN (SELECT course_id FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])))
    )
""")

_STALE = text("""
    SELECT least((SELECT min(stale_since) FROM user_course WHERE stale_since IS NOT NULL),
                 (SELECT min(stale_since) FROM course WHERE stale_since IS NOT NULL),
                 (SELECT min(changed_at) FROM enrollment_change))
""")


@dataclass(frozen=True, slots=True)
class StaleCourse:
    """A course of whose summaries some may be of an older outline than this version."""

    id: int
    version: int


def claim_changed(connection: Connection, limit: int) -> list[int]:
    """Lock up to `limit` enrolments that changed, oldest change first, passing over those that others hold."""
    return list(connection.scalars(_CLAIM_CHANGED, {"limit": limit}))


def late_enrollments(connection: Connection, seconds: float, limit: int) -> list[int]:
    """Up to `limit` enrollments that changed so long ago."""
    return list(connection.scalars(_LATE, {"seconds": seconds, "limit": limit}))


def claim_late(connection: Connection, limit: int, user_course_id: int) -> list[int]:
    """Lock this one, waiting up to `lock_timeout` for whoever holds it: the first row that the transaction locks."""
    return [user_course_id][:limit] if wait_for_enrollment(connection, user_course_id) else []


def claim_marked(connection: Connection, limit: int) -> list[int]:
    """Lock up to `limit` enrollments that an LMS marked by its own SQL, passing over those that others hold."""
    after: int | None = 0
    while after is not None:
        page = {"after": after, "limit": limit}
        if ids := list(connection.scalars(_CLAIM_MARKED, page)):
            return ids
        after = connection.scalar(_END_OF_PAGE, page)
    return []


def claim_one(connection: Connection, user_course_id: int) -> list[int]:
    """Lock this enrollment; empty where somebody holds it."""
    return list(connection.scalars(_CLAIM_ONE, {"id": user_course_id}))


def mark_failed(connection: Connection, user_course_id: int) -> None:
    """Leave this enrollment out of every claim but `claim_one`, until its summary was stored."""
    connection.execute(_MARK_FAILED, {"id": user_course_id})


def longest_failed(connection: Connection, seconds: float) -> int | None:
    """The one whose failure is the longest ago; None where there is none, or any failed within so many seconds."""
    found: int | None = connection.scalar(_LONGEST_FAILED, {"seconds": seconds})
    return found


def stale_courses(connection: Connection) -> list[StaleCourse]:
    """The courses that have summaries of an older outline, oldest change first."""
    return [StaleCourse(row.id, row.version) for row in connection.execute(_STALE_COURSES)]


def claim_outlined(connection: Connection, course: StaleCourse, limit: int) -> list[int]:
    """Lock up to `limit` enrolments whose summary is of an older outline, passing over those that others hold."""
    return list(
        connection.scalars(_CLAIM_OUTLINED, {"course_id": course.id, "version": course.version, "limit": limit})
    )


def settle_courses(connection: Connection) -> None:
    """Courses that have no summary of an older outline left are no longer stale.

    Outlines must be held, here as in every refresh: so nobody can be about to store a summary of an older one.
    """
    connection.execute(_SETTLE)


def refresh(connection: Connection, ids: Sequence[int]) -> None:
    """Compute and store the summaries of these enrolments, and take their marks away.

    The enrollments must be locked and the outlines held. Three statements, whatever the number: a position on which the
    outline decides is settled first. Marks their courses' statistics as older than these changes, and the activity of
    those that changed.
    """
    settle_ties(connection, ids)
    has_moved = bool(connection.scalar(_HAS_MOVED, {"ids": list(ids)}))
    connection.execute(_REFRESH[has_moved], {"ids": list(ids)})


def oldest_change(connection: Connection) -> datetime | None:
    """The time of the oldest change that some stored summary does not show; None when all are current."""
    oldest: datetime | None = connection.scalar(_STALE)
    return oldest
