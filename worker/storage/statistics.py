"""Statistics of courses and their lessons: computed in one statement, so exact as of one instant.

The definitions, in plain Python: `worker.domain.statistics`.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.domain.outline import Lesson
from worker.domain.statistics import Statistics
from worker.storage.database import allow

_LOCK_CLASS = 7_305_112

_CHANGED = text("""
    SELECT course_id FROM course_change GROUP BY course_id ORDER BY max(failed_at) NULLS FIRST, min(changed_at)
""")

_MARK_FAILED = text("UPDATE course_change SET failed_at = now() WHERE course_id = :course_id")

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock_class, hashint8(:course_id))")

_MARK = text("INSERT INTO course_change (course_id) VALUES (:course_id)")

_TAKE_MARKS = text("DELETE FROM course_change WHERE course_id = :course_id")

_REFRESH = text("""
    WITH enrollment AS MATERIALIZED (
        SELECT id, position_at FROM user_course WHERE course_id = :course_id
    ),
    outline AS MATERIALIZED (
        SELECT topic_id, lesson_id FROM course_lesson WHERE course_id = :course_id
    ),
    outlined AS (
        SELECT EXISTS (SELECT FROM course WHERE id = :course_id) AS is_outlined
    ),
    row AS ( -- rows of lessons that count
        SELECT user_course_id, topic_id, lesson_id, status, last_viewed_at
        FROM enrollment JOIN user_course_progress ON user_course_id = enrollment.id
        WHERE NOT (SELECT is_outlined FROM outlined)
           OR (topic_id, lesson_id) IN (SELECT topic_id, lesson_id FROM outline)
    ),
    counted AS MATERIALIZED (
        SELECT GROUPING(user_course_id) = 1 AS is_lesson, user_course_id, topic_id, lesson_id,
               count(*) AS rows, count(*) FILTER (WHERE status <> 'not_started') AS started,
               count(*) FILTER (WHERE status = 'completed') AS completed, max(last_viewed_at) AS last_viewed_at
        FROM row GROUP BY GROUPING SETS ((user_course_id), (topic_id, lesson_id))
    ),
    size AS (
        SELECT count(*) AS enrollments, max(position_at) AS last_activity_at FROM enrollment
    ),
    course AS (
        SELECT count(*) FILTER (WHERE started > 0) AS started,
               count(*) FILTER (
                   WHERE completed > 0
                     AND completed = CASE WHEN is_outlined THEN (SELECT count(*) FROM outline) ELSE rows END
               ) AS completed
        FROM counted CROSS JOIN outlined WHERE NOT is_lesson
    ),
    stored AS (
        INSERT INTO course_statistics AS known
            (course_id, enrollments, started, completed, completion_rate, last_activity_at, as_of)
        SELECT :course_id, enrollments, started, completed,
               coalesce(round(100.0 * completed / nullif(enrollments, 0), 2), 0), last_activity_at,
               statement_timestamp()
        FROM size CROSS JOIN course
        ON CONFLICT (course_id) DO UPDATE
        SET (enrollments, started, completed, completion_rate, last_activity_at, as_of)
          = (excluded.enrollments, excluded.started, excluded.completed, excluded.completion_rate,
             excluded.last_activity_at, excluded.as_of)
    ),
    lesson AS (
        SELECT topic_id, lesson_id, started, completed, last_viewed_at FROM counted WHERE is_lesson
        UNION ALL
        SELECT topic_id, lesson_id, 0, 0, NULL FROM outline
        WHERE (topic_id, lesson_id) NOT IN (SELECT topic_id, lesson_id FROM counted WHERE is_lesson)
    ),
    removed AS (
        DELETE FROM lesson_statistics
        WHERE course_id = :course_id AND (topic_id, lesson_id) NOT IN (SELECT topic_id, lesson_id FROM lesson)
    )
    INSERT INTO lesson_statistics AS known
        (course_id, topic_id, lesson_id, enrollments, started, completed, completion_rate, last_activity_at)
    SELECT :course_id, topic_id, lesson_id, enrollments, started, completed,
           coalesce(round(100.0 * completed / nullif(enrollments, 0), 2), 0), last_viewed_at
    FROM lesson CROSS JOIN size
    ON CONFLICT (course_id, topic_id, lesson_id) DO UPDATE
    SET (enrollments, started, completed, completion_rate, last_activity_at)
      = (excluded.enrollments, excluded.started, excluded.completed, excluded.completion_rate,
         excluded.last_activity_at)
    WHERE (known.enrollments, known.started, known.completed, known.completion_rate, known.last_activity_at)
        IS DISTINCT FROM (excluded.enrollments, excluded.started, excluded.completed, excluded.completion_rate,
                          excluded.last_activity_at)
""")

_COURSE = text("SELECT * FROM course_statistics WHERE course_id = :course_id")

_LESSONS = text("SELECT * FROM lesson_statistics WHERE course_id = :course_id")

_OLDEST = text("""
    SELECT least((SELECT min(stale_since) FROM user_course WHERE stale_since IS NOT NULL),
                 (SELECT min(changed_at) FROM course_change))
""")


@dataclass(frozen=True, slots=True)
class StoredStatistics:
    """The statistics of a course and its lessons, all exactly as of one instant."""

    course: Statistics
    lessons: dict[Lesson, Statistics]
    as_of: datetime


def changed_courses(connection: Connection) -> list[int]:
    """The courses whose statistics are older than some change, oldest change first; those that failed lately last."""
    return list(connection.scalars(_CHANGED))


def mark_course(connection: Connection, course_id: int) -> None:
    """Have the statistics of a course refreshed."""
    connection.execute(_MARK, {"course_id": course_id})


def mark_failed(connection: Connection, course_id: int) -> None:
    """Have the other courses tried before this one."""
    connection.execute(_MARK_FAILED, {"course_id": course_id})


def refresh_course(connection: Connection, course_id: int, seconds: float) -> bool:
    """Compute and store the statistics of one course in the caller's transaction, in at most so many seconds.

    False when another transaction is at it; the marks stay then. The marks go first: what is computed after that shows
    every change they stood for, and a change that comes later leaves a mark of its own.
    """
    if not connection.scalar(_TRY_LOCK, {"lock_class": _LOCK_CLASS, "course_id": course_id}):
        return False
    connection.execute(_TAKE_MARKS, {"course_id": course_id})
    allow(connection, seconds)
    connection.execute(_REFRESH, {"course_id": course_id})
    return True


def read_statistics(connection: Connection, course_id: int) -> StoredStatistics | None:
    """The stored statistics of a course; None while there are none. Two queries, which must see one snapshot."""
    row = connection.execute(_COURSE, {"course_id": course_id}).one_or_none()
    if row is None:
        return None
    lessons = connection.execute(_LESSONS, {"course_id": course_id})
    return StoredStatistics(
        _statistics(row), {(each.topic_id, each.lesson_id): _statistics(each) for each in lessons}, row.as_of
    )


def oldest_change(connection: Connection) -> datetime | None:
    """The time of the oldest change that some course's statistics do not show; None when all are up to date."""
    oldest: datetime | None = connection.scalar(_OLDEST)
    return oldest


def _statistics(row: Row[Any]) -> Statistics:
    return Statistics(**{field.name: getattr(row, field.name) for field in fields(Statistics)})
