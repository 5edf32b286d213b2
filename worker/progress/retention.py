"""Retention of the ledger: off unless an operator sets it, as deleted events can no longer be audited or rebuilt from.

Progress, positions and summaries are unchanged; activity covers the remaining events: those recorded since
`history_from` and those of corrected lessons. A deleted event that is published again is recorded again, which changes
no progress, position or summary.
"""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.database.failures import may_be_caused_by_one
from worker.database.one_by_one import one_by_one
from worker.logs import get_logger
from worker.progress.enrollments import lock_enrollments
from worker.progress.expired_events import Event, delete_events, expired_events, time_ago

log = get_logger(__name__)

CHUNK = 1_000
"""Events deleted in one transaction."""


def delete_expired(engine: Engine, days: float, go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete the events recorded more than `days` ago, in bounded transactions while `go_on()`; return their number.

    Ages are by PostgreSQL's clock, which also stamped the events. Idempotent and safe on several workers at once: each
    transaction locks the enrollments it deletes from. Those locked by others are left to the next run; so are those
    whose deletion PostgreSQL refuses, which are logged. Raises PostgreSQL's other errors.
    """
    with engine.connect() as connection:
        before = time_ago(connection, days)
    total, left, failed = 0, set[int](), list[int]()

    def delete(connection: Connection, events: Sequence[Event]) -> int:
        owners = {user_course_id for user_course_id, _ in events}
        free = lock_enrollments(connection, owners)
        left.update(owners - free)
        return delete_events(connection, [event for event in events if event[0] in free], before)

    def delete_each(events: Sequence[Event]) -> Iterator[int]:
        def delete_of(owner: int) -> None:
            nonlocal total
            with engine.begin() as connection:
                count = delete(connection, [event for event in events if event[0] == owner])
            total += count

        return one_by_one(dict(events), delete_of, left.add, go_on)

    while True:
        events: list[Event] = []
        try:
            with engine.begin() as connection:
                events = expired_events(connection, before, CHUNK, left)
                count = delete(connection, events) if events else 0
            total += count
        except DBAPIError as error:
            if not events or not may_be_caused_by_one(error):
                raise
            failed += delete_each(events)
        if not events or not go_on():
            break
    if failed:
        log.warning("retention_failed", enrollments=failed)
    return total
