"""Refresh the activity of enrollments that changed: oldest change first, in bounded transactions, one run at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.analytics import activity_at_once, activity_claims, activity_failures
from worker.database.engine import extend_timeout
from worker.database.failures import may_be_ones_own
from worker.database.one_by_one import RETRY_SECONDS, one_by_one

LONG_SECONDS = 100.0
"""By default, what one that failed may take when it is tried again."""


@dataclass(frozen=True, slots=True)
class RefreshedActivity:
    """What one run did, and the oldest change that it left."""

    enrollments: int
    failed: list[int]
    """Enrollments that PostgreSQL refused by themselves: their computation took too long, for instance."""
    oldest_change_at: datetime | None


def refresh_activity(
    engine: Engine,
    chunk: int,
    idle_cutoff_seconds: float,
    go_on: Callable[[], bool] = lambda: True,
    *,
    long_seconds: float = LONG_SECONDS,
    retry_seconds: float = RETRY_SECONDS,
) -> RefreshedActivity:
    """Refresh what is marked, up to `chunk` enrollments a transaction, until nothing is left or another run is at it.

    Asks `go_on` before each transaction but the first. The members of a chunk that fails are tried one by one. One that
    fails by itself is left out until all others are done and nobody failed for `retry_seconds`; then it may take
    `long_seconds`. Idempotent; a crash leaves the marks for the next run. Raises PostgreSQL's errors that are not about
    some enrollment.
    """
    run = _Run(engine, chunk, idle_cutoff_seconds, go_on)
    while run.refresh_chunk():
        if not go_on():
            break
    else:
        run.retry(long_seconds, retry_seconds)
    with engine.connect() as connection:
        return RefreshedActivity(run.count, run.failed, activity_claims.oldest_change(connection))


def refresh_these(
    engine: Engine, ids: Sequence[int], chunk: int, idle_cutoff_seconds: float, seconds: float
) -> set[int]:
    """Refresh the activity of those of these enrollments that are marked, a chunk in each transaction; which.

    What takes longer than so many seconds, is locked or refused keeps its marks for the next run of `refresh_activity`.
    """
    refreshed: set[int] = set()
    for start in range(0, len(ids), chunk):
        try:
            with engine.begin() as connection:
                extend_timeout(connection, seconds)
                if claimed := activity_at_once.claim_these(connection, ids[start : start + chunk], seconds):
                    activity_claims.refresh(connection, claimed, idle_cutoff_seconds)
            refreshed.update(claimed)
        except DBAPIError as error:
            if not may_be_ones_own(error):
                raise
    return refreshed


@dataclass(slots=True)
class _Run:
    engine: Engine
    chunk: int
    idle_cutoff_seconds: float
    go_on: Callable[[], bool]
    count: int = 0
    failed: list[int] = field(default_factory=list)

    def refresh_chunk(self) -> bool:
        """Refresh the next chunk, or its members one by one; False when there is none, or another run is at it."""
        ids: list[int] | None = None
        try:
            with self.engine.begin() as connection:
                ids = activity_claims.claim(connection, self.chunk)
                if ids:
                    activity_claims.refresh(connection, ids, self.idle_cutoff_seconds)
        except DBAPIError as error:
            if not ids or not may_be_ones_own(error):
                raise
            known = len(self.failed)
            self.failed += one_by_one(ids, self.refresh_one, self.set_back, self.go_on)
            if len(self.failed) == known:  # nobody's doing: all together were too many
                self.chunk = max(1, self.chunk // 4)
            return True
        self.count += len(ids or ())
        return bool(ids)

    def refresh_one(self, user_course_id: int, seconds: float | None = None) -> None:
        with self.engine.begin() as connection:
            ids = activity_failures.claim_one(connection, user_course_id)
            if seconds is not None:
                extend_timeout(connection, seconds)
            if ids:
                activity_claims.refresh(connection, ids, self.idle_cutoff_seconds)
        self.count += len(ids)

    def retry(self, long_seconds: float, retry_seconds: float) -> None:
        """Try those again that failed, the longest ago first, until one fails again or is held by somebody."""
        while (found := self.longest_failed(retry_seconds)) is not None:
            before = self.count
            self.failed += one_by_one(
                [found], lambda each: self.refresh_one(each, long_seconds), self.set_back, self.go_on
            )
            if self.count == before or not self.go_on():
                return

    def longest_failed(self, retry_seconds: float) -> int | None:
        with self.engine.connect() as connection:
            return activity_failures.longest_failed(connection, retry_seconds)

    def set_back(self, user_course_id: int) -> None:
        with self.engine.begin() as connection:
            activity_failures.mark_failed(connection, user_course_id)
