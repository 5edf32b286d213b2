"""Retention of the ledger: off unless an operator sets it, since what is deleted can be audited and rebuilt no longer.

Progress, positions and summaries stay as they are; activity is that of the events that are left, those recorded since
`history_from` and those of corrected lessons. An event that is published again after its row was deleted is
recorded again, which changes no progress, position or summary.
"""

from collections.abc import Callable

from sqlalchemy import Engine

from worker.services.clocks import measure_clocks
from worker.storage.enrollment import lock_enrollments
from worker.storage.retention import delete_events, expired_events, time_ago
from worker.stream.connection import Redis

CHUNK = 1_000
"""Events deleted in one transaction."""


def refusal(engine: Engine, redis: Redis, tolerance_seconds: float) -> str | None:
    """Why nothing may be deleted now, in a sentence: of clocks that differ by more than that, any may be wrong.

    Then what seems old may be fresh. None when they agree. Raises PostgreSQL's and Redis' errors.
    """
    with engine.connect() as connection:
        return measure_clocks(connection, redis).complaint(tolerance_seconds)


def delete_expired(engine: Engine, days: float, go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete the events recorded more than so many days ago; how many. In bounded transactions, while `go_on` says so.

    Ages are by PostgreSQL's clock, which stamped the events too. Idempotent and safe on several workers at once: each
    transaction locks the enrollments it deletes from; those that others hold are left to the next run.
    """
    with engine.connect() as connection:
        before = time_ago(connection, days)
    total, held = 0, set[int]()
    while True:
        with engine.begin() as connection:
            events = expired_events(connection, before, CHUNK, held)
            if events:
                owners = {user_course_id for user_course_id, _ in events}
                free = lock_enrollments(connection, owners)
                held |= owners - free
                total += delete_events(connection, [event for event in events if event[0] in free], before)
        if not events or not go_on():
            return total
