"""Claim courses whose statistics are stale: keep other transactions from computing them and take the marks away.

In the caller's transaction: `claim`, `statistics_statement.compute_statistics`, commit.
"""

from sqlalchemy import Connection, text

from worker.database.advisory_locks import STATISTICS_LOCK_CLASS
from worker.database.engine import limit_lock_waits
from worker.database.stale_marks import FAILED_ACTIVITY, FAILED_SUMMARIES
from worker.summary.stored_summary import IS_UNMARKED

MANY_ENROLLMENTS = 10_000
"""Computing courses of this many enrollments in all takes some 20 s of PostgreSQL's time."""

_CHANGED = text("""
    SELECT course_id
    FROM (
        SELECT course_id, max(failed_at) AS failed_at, min(changed_at) AS changed_at
        FROM course_change GROUP BY course_id
    ) AS mark
    LEFT JOIN course_statistics USING (course_id)
    CROSS JOIN (
        SELECT least(1, sum(enrollments) / CAST(:many AS numeric)) AS share
        FROM course_statistics WHERE course_id IN (SELECT course_id FROM course_change)
    ) AS work
    WHERE coalesce(failed_at + make_interval(secs => :seconds), as_of + make_interval(secs => :seconds * share),
                   '-infinity') <= now()
    ORDER BY failed_at NULLS FIRST, changed_at
""")

_STALE = text(f"""
    SELECT id, is_summarized FROM (
        SELECT enrollment.id, {IS_UNMARKED} AS is_summarized,
               EXISTS (SELECT FROM activity_change WHERE user_course_id = enrollment.id) AS has_changed
        FROM user_course AS enrollment WHERE course_id = :course_id
    ) AS its
    WHERE (has_changed OR NOT is_summarized)
      AND id <> ALL(ARRAY({FAILED_ACTIVITY})) AND id <> ALL(ARRAY({FAILED_SUMMARIES}))
    ORDER BY id
""")  # noqa: S608 - constants

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock_class, hashint8(:course_id))")

_STAY_IDLE = text("SELECT set_config('idle_in_transaction_session_timeout', :milliseconds, true)")

_WAIT_FOR_LOCK = text("""
    SELECT set_config('lock_timeout', :milliseconds, true), pg_advisory_xact_lock(:lock_class, hashint8(:course_id))
""")

_TAKE_MARKS = text("DELETE FROM course_change WHERE course_id = :course_id")


def changed_courses(connection: Connection, pause_seconds: float) -> list[int]:
    """Return the marked courses that are due, oldest change first; failed ones last.

    A course is due `pause_seconds` after its last computation or failure: sooner while all the courses that changed
    have fewer than 10,000 enrollments, and the fewer, the sooner. One without statistics is due at once.
    """
    return list(connection.scalars(_CHANGED, {"seconds": pause_seconds, "many": MANY_ENROLLMENTS}))


def stale_enrollments(connection: Connection, course_id: int) -> dict[int, bool]:
    """Return the enrollments of the course with stale activity, and whether their summary is unmarked.

    Without those whose last refresh failed.
    """
    return {row.id: row.is_summarized for row in connection.execute(_STALE, {"course_id": course_id})}


def wait_for_refresh(connection: Connection, course_id: int, seconds: float) -> None:
    """Wait for another transaction that computes this course. Raises PostgreSQL's lock timeout after `seconds`."""
    milliseconds = str(int(seconds * 1000))
    connection.execute(
        _WAIT_FOR_LOCK, {"milliseconds": milliseconds, "lock_class": STATISTICS_LOCK_CLASS, "course_id": course_id}
    )


def lock(connection: Connection, course_id: int, seconds: float) -> bool:
    """Keep other runs from this course until the transaction ends, which may be idle for that long meanwhile.

    Return False while another transaction has it.
    """
    if not connection.scalar(_TRY_LOCK, {"lock_class": STATISTICS_LOCK_CLASS, "course_id": course_id}):
        return False
    connection.execute(_STAY_IDLE, {"milliseconds": str(int(seconds * 1000))})
    return True


def claim(connection: Connection, course_id: int) -> bool:
    """Claim this course, with a lock timeout of one second; return False while another transaction computes it."""
    if not connection.scalar(_TRY_LOCK, {"lock_class": STATISTICS_LOCK_CLASS, "course_id": course_id}):
        return False
    limit_lock_waits(connection)
    connection.execute(_TAKE_MARKS, {"course_id": course_id})
    return True
