"""Refresh the statistics and figures of courses that changed: oldest change first, one course a transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.analytics import statistics_claims
from worker.analytics.rules.stuck import StuckThresholds
from worker.database.failures import may_be_ones_own


@dataclass(frozen=True, slots=True)
class RefreshedStatistics:
    """What one run did, and the oldest change that it left."""

    courses: int
    failed: list[int]
    """Courses that PostgreSQL refused: the computation took too long, or somebody holds their rows."""
    oldest_change_at: datetime | None


def refresh_statistics(
    engine: Engine, seconds: float, rules: StuckThresholds, go_on: Callable[[], bool] = lambda: True
) -> RefreshedStatistics:
    """Refresh the statistics of every course that changed, at most so many seconds each, while `go_on` says so.

    Costs one pass over the rows of those courses and nothing for the others. Idempotent. A course that another run is
    at is passed over; one that fails holds up no other, and is the last that the next run tries; a crash leaves the
    marks for the next run. Raises PostgreSQL's errors that are not about one course.
    """
    with engine.connect() as connection:
        changed = statistics_claims.changed_courses(connection)
    count, failed = 0, []
    for course_id in changed:
        try:
            with engine.begin() as connection:
                count += statistics_claims.refresh_course(connection, course_id, seconds, rules)
        except DBAPIError as error:
            if not may_be_ones_own(error):
                raise
            with engine.begin() as connection:
                statistics_claims.mark_failed(connection, course_id)
            failed.append(course_id)
        if not go_on():
            break
    with engine.connect() as connection:
        return RefreshedStatistics(count, failed, statistics_claims.oldest_change(connection))
