"""Refresh stored summaries: claim some stale enrollments, then compute and store their summaries in one statement.

All in the caller's transaction: `outline.hold_outlines`, claim, `refresh`, commit. Until then the claimed rows are
locked, as they are while events are recorded: nothing slips in between what a summary shows and the mark that goes.
The same rules in plain Python: `worker.summary.rules.summarize`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.progress.enrollments import wait_for_enrollment
from worker.progress.ties import settle_ties
from worker.summary.statement import HAS_MOVED, REFRESH

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
    """Lock up to `limit` enrollments that changed, oldest change first, passing over those that others hold."""
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
    """Lock up to `limit` enrollments whose summary is of an older outline, passing over those that others hold."""
    return list(
        connection.scalars(_CLAIM_OUTLINED, {"course_id": course.id, "version": course.version, "limit": limit})
    )


def settle_courses(connection: Connection) -> None:
    """Courses that have no summary of an older outline left are no longer stale.

    Outlines must be held, here as in every refresh: so nobody can be about to store a summary of an older one.
    """
    connection.execute(_SETTLE)


def refresh(connection: Connection, ids: Sequence[int]) -> None:
    """Compute and store the summaries of these enrollments, and take their marks away.

    The enrollments must be locked and the outlines held. Three statements, whatever the number: a position on which the
    outline decides is settled first. Marks their courses' statistics as older than these changes, and the activity of
    those that changed.
    """
    settle_ties(connection, ids)
    has_moved = bool(connection.scalar(HAS_MOVED, {"ids": list(ids)}))
    connection.execute(REFRESH[has_moved], {"ids": list(ids)})


def oldest_change(connection: Connection) -> datetime | None:
    """The time of the oldest change that some stored summary does not show; None when all are current."""
    oldest: datetime | None = connection.scalar(_STALE)
    return oldest
