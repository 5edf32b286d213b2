"""Refresh the statistics of courses that changed: oldest change first, one course a transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from worker.storage import statistics


@dataclass(frozen=True, slots=True)
class RefreshedStatistics:
    """What one run did, and the oldest change that it left."""

    courses: int
    oldest_change_at: datetime | None


def refresh_statistics(engine: Engine, seconds: float, go_on: Callable[[], bool] = lambda: True) -> RefreshedStatistics:
    """Refresh the statistics of every course that changed, at most so many seconds each, while `go_on` says so.

    Costs one pass over the rows of those courses and nothing for the others. Idempotent. A course that another run is
    at is passed over; a crash leaves the marks for the next run.
    """
    with engine.connect() as connection:
        changed = statistics.changed_courses(connection)
    count = 0
    for course_id in changed:
        with engine.begin() as connection:
            count += statistics.refresh_course(connection, course_id, seconds)
        if not go_on():
            break
    with engine.connect() as connection:
        return RefreshedStatistics(count, statistics.oldest_change(connection))
