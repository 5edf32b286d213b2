"""Retention of the ledger: off unless an operator sets it, since what is deleted can be audited and rebuilt no longer.

Progress, positions and summaries stay as they are; activity is that of the events that are left, those recorded since
`history_from` and those of corrected lessons. An event that is published again after its row was deleted is
recorded again, which changes no progress, position or summary.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from worker.storage.enrollment import lock_enrollments
from worker.storage.retention import delete_events, expired_events

CHUNK = 1_000
"""Events deleted in one transaction."""


def delete_expired(engine: Engine, days: float, go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete the events recorded more than so many days ago; how many. In bounded transactions, while `go_on` says so.

    Idempotent and safe on several workers at once: each transaction locks the enrolments it deletes from.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    total = 0
    while True:
        with engine.begin() as connection:
            events = expired_events(connection, before, CHUNK)
            if events:
                lock_enrollments(connection, {user_course_id for user_course_id, _ in events})
                total += delete_events(connection, events, before)
        if not events or not go_on():
            return total
