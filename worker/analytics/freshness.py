"""How fresh the figures of a course are: up to which instant nothing is missing, and how many changes are not included.

Marks (`worker.database.stale_marks`) say what is missing. A refresh that took a mark away leaves one on the course, no
younger than the change, until the course's statistics are computed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

HAS_CURRENT_ACTIVITY = """enrollment.stale_since IS NULL
    AND NOT EXISTS (SELECT FROM activity_change WHERE user_course_id = enrollment.id)"""
"""A stale summary passes its mark on to the activity."""

ENROLLMENTS = """
    marked AS MATERIALIZED (
        SELECT user_course_id FROM enrollment_change UNION SELECT user_course_id FROM activity_change
    ),
    enrollment AS MATERIALIZED (
        SELECT its.id, user_id, timezone, completion_percentage,
               (outline_version > 0 AND total_lessons > 0 AND completed_lessons = total_lessons) IS TRUE AS is_finished,
               (completed_lessons + in_progress_lessons > 0) IS TRUE AS is_started,
               (stale_since IS NULL AND marked.user_course_id IS NULL
                AND outline_version = coalesce((SELECT version FROM course WHERE id = :course_id), 0)
                AND greatest(summary.refreshed_at, activity.refreshed_at) < CAST(:as_of AS timestamptz)
               ) IS TRUE AS is_included,
               CASE WHEN stale_since IS NULL AND marked.user_course_id IS NULL THEN last_at
                    ELSE greatest(last_at, position_at) END AS last_at
        FROM user_course AS its
        LEFT JOIN user_course_summary AS summary
            ON summary.user_course_id = its.id AND summary.course_id = its.course_id
        LEFT JOIN enrollment_activity AS activity ON activity.user_course_id = its.id
        LEFT JOIN marked ON marked.user_course_id = its.id
        WHERE its.course_id = :course_id
    )
"""
"""The enrollments of a course as their stored summary and activity show them: `is_included` in the statistics of the
course if nothing changed since. The last event of a marked one is that of its position. Parameters: `course_id`, and
`as_of` of the statistics."""

_MARKS = text("""
    SELECT (SELECT as_of FROM course_statistics WHERE course_id = :course_id) AS computed_at, now() AS read_at, least(
        (SELECT min(changed_at) FROM course_change WHERE course_id = :course_id),
        (SELECT min(stale_since) FROM user_course WHERE course_id = :course_id AND stale_since IS NOT NULL),
        (SELECT min(changed_at) FROM activity_change JOIN user_course ON user_course.id = user_course_id
         WHERE course_id = :course_id),
        (SELECT min(changed_at) FROM enrollment_change JOIN user_course ON user_course.id = user_course_id
         WHERE course_id = :course_id),
        (SELECT stale_since FROM course WHERE id = :course_id AND EXISTS (
            SELECT FROM user_course_summary WHERE course_id = course.id AND outline_version < course.version
        ))
    ) AS oldest_change_at
""")

_PENDING = text(f"""
    WITH {ENROLLMENTS} SELECT count(*) FROM enrollment WHERE NOT is_included
""")  # noqa: S608 - constants

_OF_ENROLLMENT = text("""
    SELECT least(
        (SELECT stale_since FROM user_course WHERE id = :id),
        (SELECT min(changed_at) FROM activity_change WHERE user_course_id = :id)
    ) AS oldest_change_at, now() AS read_at
""")


@dataclass(frozen=True, slots=True)
class Freshness:
    """Everything recorded before `as_of` is included, None if never computed; `pending` enrollments changed since.

    `read_at` is the beginning of the transaction, by PostgreSQL's clock.
    """

    read_at: datetime
    as_of: datetime | None
    pending: int


def course_freshness(connection: Connection, course_id: int) -> Freshness:
    """Return the freshness of the stored statistics of a course, in the caller's snapshot.

    One query; another over one row of each enrollment while anything is pending.
    """
    found = connection.execute(_MARKS, {"course_id": course_id}).one()
    as_of = complete_until(found)
    if as_of and found.oldest_change_at is None:
        return Freshness(found.read_at, as_of, 0)
    pending = connection.scalar(_PENDING, {"course_id": course_id, "as_of": as_of}) or 0
    return Freshness(found.read_at, as_of, max(pending, 1 if as_of else 0))  # a deleted enrollment leaves its mark


def course_as_of(connection: Connection, course_id: int | None) -> datetime | None:
    """Return the instant up to which the stored statistics of a course are complete; None if never computed."""
    return complete_until(connection.execute(_MARKS, {"course_id": course_id}).one())


def enrollment_freshness(connection: Connection, user_course_id: int) -> Freshness:
    """Return up to when the activity of an enrollment, once stored, is complete, and whether a change is pending."""
    found = connection.execute(_OF_ENROLLMENT, {"id": user_course_id}).one()
    if found.oldest_change_at is None:
        return Freshness(found.read_at, found.read_at, 0)
    return Freshness(found.read_at, min(found.read_at, found.oldest_change_at), 1)


def complete_until(marks: Row[Any]) -> datetime | None:
    """Return the instant up to which statistics are complete, of a row of `computed_at`, `oldest_change_at`, `read_at`.

    None if they were never computed.
    """
    if marks.computed_at is None:
        return None
    as_of: datetime = min(marks.read_at, marks.oldest_change_at or marks.read_at)
    return as_of
