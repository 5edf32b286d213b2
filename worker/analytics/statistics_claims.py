"""Refresh the statistics and figures of courses: all of one course in one statement, so exact as of one instant.

In one transaction of the caller: `refresh_course`, commit. The definitions, in plain Python:
`rules.completion_statistics` and `rules.time_statistics`.
"""

from datetime import datetime

from sqlalchemy import Connection, text

from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.statistics_statement import REFRESH
from worker.analytics.zone_offsets import clocks_of_course
from worker.database.engine import extend_timeout, limit_lock_waits, without_jit
from worker.database.locks import STATISTICS_LOCK_CLASS

_CHANGED = text("""
    SELECT course_id FROM course_change GROUP BY course_id ORDER BY max(failed_at) NULLS FIRST, min(changed_at)
""")

_MARK_FAILED = text("""
    UPDATE course_change SET failed_at = now()
    WHERE id = ANY(ARRAY(SELECT id FROM course_change WHERE course_id = :course_id FOR UPDATE SKIP LOCKED))
""")

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock_class, hashint8(:course_id))")

_WAIT_FOR_LOCK = text("""
    SELECT set_config('lock_timeout', :milliseconds, true), pg_advisory_xact_lock(:lock_class, hashint8(:course_id))
""")

_MARK = text("INSERT INTO course_change (course_id) VALUES (:course_id)")

_TAKE_MARKS = text("DELETE FROM course_change WHERE course_id = :course_id")

_OLDEST = text("""
    SELECT least((SELECT min(stale_since) FROM user_course WHERE stale_since IS NOT NULL),
                 (SELECT min(changed_at) FROM activity_change), (SELECT min(changed_at) FROM course_change))
""")


def changed_courses(connection: Connection) -> list[int]:
    """The courses whose statistics are older than some change, oldest change first; those that failed lately last."""
    return list(connection.scalars(_CHANGED))


def mark_course(connection: Connection, course_id: int) -> None:
    """Have the statistics of a course refreshed."""
    connection.execute(_MARK, {"course_id": course_id})


def mark_failed(connection: Connection, course_id: int) -> None:
    """Have the other courses tried before this one."""
    connection.execute(_MARK_FAILED, {"course_id": course_id})


def wait_for_refresh(connection: Connection, course_id: int, seconds: float) -> None:
    """Let another transaction that is refreshing the course end; raises PostgreSQL's lock timeout after so long."""
    milliseconds = str(int(seconds * 1000))
    connection.execute(
        _WAIT_FOR_LOCK, {"milliseconds": milliseconds, "lock_class": STATISTICS_LOCK_CLASS, "course_id": course_id}
    )


def refresh_course(connection: Connection, course_id: int, seconds: float, rules: StuckThresholds) -> bool:
    """Compute and store the statistics and figures of one course in the caller's transaction.

    In at most so many seconds, with a second's patience for each lock. False when another transaction is at it; the
    marks stay then. The marks go first: what is computed after that shows every change they stood for, and a change
    that comes later leaves a mark of its own.
    """
    if not connection.scalar(_TRY_LOCK, {"lock_class": STATISTICS_LOCK_CLASS, "course_id": course_id}):
        return False
    limit_lock_waits(connection)
    connection.execute(_TAKE_MARKS, {"course_id": course_id})
    extend_timeout(connection, seconds)
    without_jit(connection)
    given = {
        "stuck_visits": rules.visits,
        "stuck_factor": rules.factor,
        "clocks": clocks_of_course(connection, course_id),
    }
    connection.execute(REFRESH, {"course_id": course_id, **given})
    return True


def oldest_change(connection: Connection) -> datetime | None:
    """The time of the oldest change that some course's statistics do not show; None when all are up to date."""
    oldest: datetime | None = connection.scalar(_OLDEST)
    return oldest
