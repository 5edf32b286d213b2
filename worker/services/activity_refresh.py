"""Refresh the activity of enrolments that changed: oldest change first, in bounded transactions, one run at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.storage import activity
from worker.storage.database import is_passing


@dataclass(frozen=True, slots=True)
class RefreshedActivity:
    """What one run did, and the oldest change that it left."""

    enrollments: int
    oldest_change_at: datetime | None


def refresh_activity(
    engine: Engine, chunk: int, idle_cutoff_seconds: float, go_on: Callable[[], bool] = lambda: True
) -> RefreshedActivity:
    """Refresh what is marked, up to `chunk` enrolments a transaction, until nothing is left or another run is at it.

    Asks `go_on` before each transaction but the first. One that takes too long is tried again with fewer enrolments,
    and the rest of the run keeps to that. Idempotent; a crash leaves the marks for the next run. Raises PostgreSQL's
    errors.
    """
    count = 0
    with engine.begin() as connection:
        activity.forget(connection)
    while True:
        try:
            done = _refresh_chunk(engine, chunk, idle_cutoff_seconds)
        except DBAPIError as error:
            if not is_passing(error) or chunk == 1:
                raise
            chunk = max(1, chunk // 4)
            continue
        count += done
        if not done or not go_on():
            break
    with engine.connect() as connection:
        return RefreshedActivity(count, activity.oldest_change(connection))


def _refresh_chunk(engine: Engine, chunk: int, idle_cutoff_seconds: float) -> int:
    with engine.begin() as connection:
        ids = activity.claim(connection, chunk)
        if ids:
            activity.refresh(connection, ids, idle_cutoff_seconds)
        return len(ids or ())
