"""Claim enrollments whose summary is stale, by locking their rows as recording does.

In the caller's transaction: `outlines.hold_outlines`, a claim, `statement.compute_summaries`, commit. No event can be
recorded between the computation of a summary and the removal of its mark.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from worker.database import stale_marks
from worker.progress.enrollments import wait_for_enrollment

# Failed enrollments are left to `claim_one`.
_CLAIM_CHANGED = text(f"""
    SELECT id FROM user_course
    WHERE stale_since IS NOT NULL
      AND id <> ALL(ARRAY({stale_marks.FAILED_SUMMARIES}))
    ORDER BY stale_since LIMIT :limit
    FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608 - a constant

# Random, as an LMS may hold locks on many of the oldest.
_LATE = text(f"""
    SELECT id FROM (
        SELECT id FROM user_course
        WHERE stale_since < now() - make_interval(secs => :seconds)
          AND id <> ALL(ARRAY({stale_marks.FAILED_SUMMARIES}))
        ORDER BY stale_since LIMIT 1000
    ) AS late
    ORDER BY random() LIMIT :limit
""")  # noqa: S608 - a constant

_CLAIM_MARKED = text(f"""
    SELECT enrollment.id FROM user_course AS enrollment
    WHERE id = ANY(ARRAY(
        SELECT DISTINCT user_course_id FROM (
            SELECT user_course_id FROM enrollment_change WHERE {stale_marks.PAGE}
        ) AS page
        EXCEPT {stale_marks.FAILED_SUMMARIES}
    ))
    LIMIT :limit
    FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608 - a constant

_CLAIM_ONE = text("SELECT id FROM user_course WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED")

_CLAIM_THESE = text("""
    SELECT id FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
""")

_STALE_COURSES = text("""
    SELECT id, version FROM course
    WHERE stale_since IS NOT NULL AND EXISTS (
        SELECT FROM user_course_summary WHERE course_id = course.id AND outline_version < course.version
    )
    ORDER BY stale_since
""")

_CLAIM_OUTLINED = text(f"""
    SELECT enrollment.id
    FROM user_course_summary AS summary JOIN user_course AS enrollment ON enrollment.id = summary.user_course_id
    WHERE summary.course_id = :course_id AND summary.outline_version < :version
      AND id <> ALL(ARRAY({stale_marks.FAILED_SUMMARIES}))
    ORDER BY summary.outline_version LIMIT :limit -- as the index has them
    FOR NO KEY UPDATE OF enrollment SKIP LOCKED
""")  # noqa: S608 - a constant

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


@dataclass(frozen=True, slots=True)
class StaleCourse:
    """A course with summaries of an outline older than this version."""

    id: int
    version: int


def claim_changed(connection: Connection, limit: int) -> list[int]:
    """Claim up to `limit` enrollments that changed, oldest change first, except locked ones."""
    return list(connection.scalars(_CLAIM_CHANGED, {"limit": limit}))


def late_enrollments(connection: Connection, seconds: float, limit: int) -> list[int]:
    """Return up to `limit` enrollments that changed at least `seconds` ago."""
    return list(connection.scalars(_LATE, {"seconds": seconds, "limit": limit}))


def claim_late(connection: Connection, limit: int, user_course_id: int) -> list[int]:
    """Claim this enrollment, waiting up to `lock_timeout`. It must be the first row that the transaction locks."""
    return [user_course_id][:limit] if wait_for_enrollment(connection, user_course_id) else []


def claim_marked(connection: Connection, limit: int) -> list[int]:
    """Claim up to `limit` enrollments that an LMS's own SQL marked, except locked ones."""
    return stale_marks.claim_marked(connection, "summaries", _CLAIM_MARKED, limit)


def claim_one(connection: Connection, user_course_id: int) -> list[int]:
    """Claim this enrollment; return none if it is locked."""
    return list(connection.scalars(_CLAIM_ONE, {"id": user_course_id}))


def claim_these(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Claim these enrollments except locked ones."""
    return list(connection.scalars(_CLAIM_THESE, {"ids": list(ids)}))


def stale_courses(connection: Connection) -> list[StaleCourse]:
    """Return the courses with summaries of an older outline, oldest change first."""
    return [StaleCourse(row.id, row.version) for row in connection.execute(_STALE_COURSES)]


def claim_outlined(connection: Connection, course: StaleCourse, limit: int) -> list[int]:
    """Claim up to `limit` enrollments whose summary is of an older outline, except locked ones."""
    return list(
        connection.scalars(_CLAIM_OUTLINED, {"course_id": course.id, "version": course.version, "limit": limit})
    )


def settle_courses(connection: Connection) -> None:
    """Unmark courses without summaries of an older outline.

    Outlines must be held, so that no other transaction is about to store such a summary.
    """
    connection.execute(_SETTLE)
