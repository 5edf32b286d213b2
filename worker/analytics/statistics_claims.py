"""Claim courses whose statistics are stale: keep other transactions from computing them and take the marks away.

In the caller's transaction: `claim`, `statistics_statement.compute_statistics`, commit.
"""

from sqlalchemy import Connection, text

from worker.database.advisory_locks import STATISTICS_LOCK_CLASS
from worker.database.engine import limit_lock_waits

_CHANGED = text("""
    SELECT course_id FROM course_change GROUP BY course_id ORDER BY max(failed_at) NULLS FIRST, min(changed_at)
""")

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock_class, hashint8(:course_id))")

_WAIT_FOR_LOCK = text("""
    SELECT set_config('lock_timeout', :milliseconds, true), pg_advisory_xact_lock(:lock_class, hashint8(:course_id))
""")

_TAKE_MARKS = text("DELETE FROM course_change WHERE course_id = :course_id")


def changed_courses(connection: Connection) -> list[int]:
    """Return the marked courses, oldest change first; recently failed ones last."""
    return list(connection.scalars(_CHANGED))


def wait_for_refresh(connection: Connection, course_id: int, seconds: float) -> None:
    """Wait for another transaction that computes this course. Raises PostgreSQL's lock timeout after `seconds`."""
    milliseconds = str(int(seconds * 1000))
    connection.execute(
        _WAIT_FOR_LOCK, {"milliseconds": milliseconds, "lock_class": STATISTICS_LOCK_CLASS, "course_id": course_id}
    )


def claim(connection: Connection, course_id: int) -> bool:
    """Claim this course, with a lock timeout of one second; return False while another transaction computes it."""
    if not connection.scalar(_TRY_LOCK, {"lock_class": STATISTICS_LOCK_CLASS, "course_id": course_id}):
        return False
    limit_lock_waits(connection)
    connection.execute(_TAKE_MARKS, {"course_id": course_id})
    return True
