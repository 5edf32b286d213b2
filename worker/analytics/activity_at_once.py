"""Enrollments whose activity is to be computed at once, whatever else is marked."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.analytics import activity_claims
from worker.database.locks import ACTIVITY_LOCK

_WAIT_FOR_LOCK = text("SELECT set_config('lock_timeout', :milliseconds, true), pg_advisory_xact_lock(:key)")

_CLAIM = text("""
    SELECT id FROM user_course AS enrollment
    WHERE id = ANY(CAST(:ids AS bigint[]))
      AND EXISTS (SELECT FROM activity_change WHERE user_course_id = enrollment.id)
    ORDER BY id FOR KEY SHARE SKIP LOCKED
""")


def claim_these(connection: Connection, ids: Sequence[int], seconds: float) -> list[int]:
    """Lock those of these enrollments that are marked against deletion, and pass their marks on, as `activity.claim`.

    Waits for whoever else computes any activity, for so long at most.
    """
    connection.execute(_WAIT_FOR_LOCK, {"milliseconds": str(int(seconds * 1000)), "key": ACTIVITY_LOCK})
    claimed = list(connection.scalars(_CLAIM, {"ids": list(ids)}))
    activity_claims.take_marks(connection, claimed)
    return claimed
