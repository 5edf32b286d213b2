"""Refresh the statistics of courses that changed: oldest change first, one course a transaction."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.analytics import statistics_claims
from worker.analytics.activity_refresh import refresh_these
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.statistics_statement import compute_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.database import stale_marks
from worker.database.engine import extend_timeout
from worker.database.failures import may_be_caused_by_one
from worker.database.rollup_lag import oldest_change
from worker.summary.refresh import refresh_these as refresh_these_summaries

CHUNK = 500
"""Enrollments refreshed in one transaction."""

MARGIN_SECONDS = 300
"""More than the last chunk of a course's enrollments takes."""


@dataclass(frozen=True, slots=True)
class RefreshedStatistics:
    """The result of one run, with the oldest change that it left."""

    courses: int
    failed: list[int]
    """Courses that PostgreSQL refused: the computation took too long, or their rows are locked."""
    oldest_change_at: datetime | None


def refresh_statistics(
    engine: Engine,
    seconds: float,
    thresholds: AnalysisThresholds,
    go_on: Callable[[], bool] = lambda: True,
    *,
    pause_seconds: float = 0,
) -> RefreshedStatistics:
    """Refresh the statistics of every changed course that is due (`statistics_claims.changed_courses`).

    First brings the summaries and activity of each course's enrollments up to date, for up to `seconds`, so that its
    figures agree; then computes it, in up to `seconds`. Goes on with the next course while `go_on` allows. Costs one
    pass over the rows of those courses. Skips courses that another run computes; one that fails is tried last by the
    next run. Idempotent; a crash leaves the marks for the next run. Raises PostgreSQL's errors that no single course
    can cause.
    """
    with engine.connect() as connection:
        changed = statistics_claims.changed_courses(connection, pause_seconds)
    count, failed = 0, []
    for course_id in changed:
        try:
            with engine.begin() as connection:
                if statistics_claims.lock(connection, course_id, seconds + MARGIN_SECONDS):
                    _refresh_enrollments(engine, course_id, thresholds.idle_cutoff_seconds, seconds)
                    count += refresh_course(connection, course_id, seconds, thresholds.stuck)
        except DBAPIError as error:
            if not may_be_caused_by_one(error):
                raise
            with engine.begin() as connection:
                stale_marks.mark_failed(connection, "course_statistics", course_id)
            failed.append(course_id)
        if not go_on():
            break
    with engine.connect() as connection:
        return RefreshedStatistics(count, failed, oldest_change(connection, "course_statistics"))


def _refresh_enrollments(engine: Engine, course_id: int, idle_cutoff_seconds: float, seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    with engine.connect() as connection:
        stale = statistics_claims.stale_enrollments(connection, course_id)
    ids = list(stale)
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        if unsummarized := [each for each in chunk if not stale[each]]:
            refresh_these_summaries(engine, unsummarized)
        refresh_these(engine, chunk, CHUNK, idle_cutoff_seconds)
        if time.monotonic() >= ends_at:
            break


def refresh_course(connection: Connection, course_id: int, seconds: float, thresholds: StuckThresholds) -> bool:
    """Refresh one course in the caller's transaction, in at most `seconds`.

    Return False, and keep the marks, while another transaction computes it.
    """
    if not statistics_claims.claim(connection, course_id):
        return False
    extend_timeout(connection, seconds)
    compute_statistics(connection, course_id, thresholds)
    return True
