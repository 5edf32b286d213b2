"""Enrollments whose activity could not be computed: left out of every claim, and tried again one at a time."""

from sqlalchemy import Connection, text

from worker.analytics import activity_claims

_CLAIM_ONE = text("SELECT id FROM user_course WHERE id = :id FOR KEY SHARE SKIP LOCKED")

_LONGEST_FAILED = text("""
    SELECT user_course_id FROM activity_change
    WHERE failed_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM activity_change WHERE failed_at BETWEEN now() - make_interval(secs => :seconds) AND now()
    )
    ORDER BY failed_at LIMIT 1
""")

_MARK_FAILED = text("""
    UPDATE activity_change SET failed_at = now()
    WHERE id = ANY(ARRAY(SELECT id FROM activity_change WHERE user_course_id = :id FOR UPDATE SKIP LOCKED))
""")


def claim_one(connection: Connection, user_course_id: int) -> list[int]:
    """Lock this enrollment against deletion and pass its marks on, as `activity.claim` does.

    Empty where it is locked, or another transaction computes any.
    """
    if not activity_claims.try_lock(connection):
        return []
    ids = list(connection.scalars(_CLAIM_ONE, {"id": user_course_id}))
    activity_claims.take_marks(connection, ids)
    return ids


def mark_failed(connection: Connection, user_course_id: int) -> None:
    """Leave this enrollment out of `activity.claim` until its activity was computed."""
    connection.execute(_MARK_FAILED, {"id": user_course_id})


def longest_failed(connection: Connection, seconds: float) -> int | None:
    """The one whose failure is the longest ago; None where there is none, or any failed within so many seconds."""
    found: int | None = connection.scalar(_LONGEST_FAILED, {"seconds": seconds})
    return found
