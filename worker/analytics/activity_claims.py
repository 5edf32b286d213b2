"""Claim enrollments with stale activity: lock them against deletion and take their marks away.

In the caller's transaction: a claim, `activity_statement.compute_activity`, commit. Recording never waits for it.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from worker.database import stale_marks
from worker.database.advisory_locks import ACTIVITY_LOCK

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")

_WAIT_FOR_LOCK = text("SELECT set_config('lock_timeout', :milliseconds, true), pg_advisory_xact_lock(:key)")

_CLAIM = text(f"""
    SELECT enrollment.id
    FROM (
        SELECT user_course_id, min(id) AS first
        FROM (SELECT id, user_course_id FROM activity_change WHERE {stale_marks.PAGE}) AS page
        WHERE user_course_id <> ALL(ARRAY({stale_marks.FAILED_ACTIVITY}))
        GROUP BY user_course_id
    ) AS mark
    JOIN user_course AS enrollment ON enrollment.id = mark.user_course_id
    ORDER BY mark.first LIMIT :limit
    FOR KEY SHARE OF enrollment SKIP LOCKED
""")  # noqa: S608 - a constant

_CLAIM_ONE = text("SELECT id FROM user_course WHERE id = :id FOR KEY SHARE SKIP LOCKED")

_CLAIM_THESE = text("""
    SELECT id FROM user_course AS enrollment
    WHERE id = ANY(CAST(:ids AS bigint[]))
      AND EXISTS (SELECT FROM activity_change WHERE user_course_id = enrollment.id)
    ORDER BY id FOR KEY SHARE SKIP LOCKED
""")

_TAKE_MARKS = text("""
    WITH taken AS (
        DELETE FROM activity_change WHERE user_course_id = ANY(CAST(:ids AS bigint[]))
        RETURNING user_course_id, changed_at
    )
    INSERT INTO course_change (course_id, changed_at)
    SELECT course_id, min(changed_at) FROM taken JOIN user_course ON id = user_course_id
    WHERE course_id IS NOT NULL GROUP BY course_id
""")


def claim(connection: Connection, limit: int) -> list[int]:
    """Claim up to `limit` enrollments, oldest mark first, except locked and failed ones.

    Return none while another transaction computes activity.
    """
    return (
        _take(connection, stale_marks.claim_marked(connection, "activity", _CLAIM, limit))
        if _try_lock(connection)
        else []
    )


def claim_one(connection: Connection, user_course_id: int) -> list[int]:
    """Claim this enrollment; return none if it is locked or another transaction computes activity."""
    return _take(connection, connection.scalars(_CLAIM_ONE, {"id": user_course_id})) if _try_lock(connection) else []


def claim_these(connection: Connection, ids: Sequence[int], seconds: float) -> list[int]:
    """Claim the marked ones of these enrollments, waiting up to `seconds` for another transaction's computation."""
    connection.execute(_WAIT_FOR_LOCK, {"milliseconds": str(int(seconds * 1000)), "key": ACTIVITY_LOCK})
    return _take(connection, connection.scalars(_CLAIM_THESE, {"ids": list(ids)}))


def _try_lock(connection: Connection) -> bool:
    return bool(connection.scalar(_TRY_LOCK, {"key": ACTIVITY_LOCK}))


def _take(connection: Connection, claimed: Iterable[int]) -> list[int]:
    """Pass the marks of these locked enrollments on to their courses."""
    if ids := list(claimed):
        connection.execute(_TAKE_MARKS, {"ids": ids})
    return ids
