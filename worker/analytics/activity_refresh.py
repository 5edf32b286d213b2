"""Refresh the activity of enrollments that changed: oldest change first, in bounded transactions, one run at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.analytics import activity_claims
from worker.analytics.activity_statement import compute_activity
from worker.database.chunked_refresh import ChunkedRefresh
from worker.database.engine import extend_timeout
from worker.database.failures import may_be_caused_by_one
from worker.database.one_by_one import RETRY_SECONDS
from worker.database.rollup_lag import oldest_change

WAIT_SECONDS = 2.0
"""How long `refresh_these` waits for another run's transaction unless it is given more time."""


@dataclass(frozen=True, slots=True)
class RefreshedActivity:
    """The result of one run, with the oldest change that it left."""

    enrollments: int
    failed: list[int]
    """Enrollments that failed on their own, for example because their computation took too long."""
    oldest_change_at: datetime | None


def refresh_activity(
    engine: Engine,
    chunk: int,
    idle_cutoff_seconds: float,
    go_on: Callable[[], bool] = lambda: True,
    *,
    long_seconds: float,
    retry_seconds: float = RETRY_SECONDS,
) -> RefreshedActivity:
    """Refresh marked enrollments, up to `chunk` a transaction, until none is left or another run computes activity.

    Asks `go_on` before each transaction but the first. The members of a failed chunk are tried one by one; one that
    fails alone is retried, with a timeout of `long_seconds`, once all others are done and `retry_seconds` have passed
    since the last failure. Idempotent; a crash leaves the marks for the next run. Raises PostgreSQL's errors that no
    single enrollment can cause.
    """

    def compute(connection: Connection, ids: Sequence[int]) -> None:
        compute_activity(connection, ids, idle_cutoff_seconds)

    run = ChunkedRefresh("activity", engine, chunk, go_on, engine.begin, activity_claims.claim_one, compute)
    while run.refresh(activity_claims.claim):
        if not go_on():
            break
    else:
        run.retry(retry_seconds, long_seconds)
    with engine.connect() as connection:
        return RefreshedActivity(run.count, run.failed, oldest_change(connection, "activity"))


def refresh_these(
    engine: Engine, ids: Sequence[int], chunk: int, idle_cutoff_seconds: float, seconds: float | None = None
) -> set[int]:
    """Refresh the marked ones of these enrollments, a chunk a transaction; return those that were refreshed.

    Any that takes longer than `seconds`, by default the statement timeout, is locked or is refused keeps its marks for
    the next `refresh_activity`. Waits as long for another run's computation, by default briefly.
    """
    refreshed: set[int] = set()
    for start in range(0, len(ids), chunk):
        try:
            with engine.begin() as connection:
                if seconds is not None:
                    extend_timeout(connection, seconds)
                wait = WAIT_SECONDS if seconds is None else seconds
                if claimed := activity_claims.claim_these(connection, ids[start : start + chunk], wait):
                    compute_activity(connection, claimed, idle_cutoff_seconds)
            refreshed.update(claimed)
        except DBAPIError as error:
            if not may_be_caused_by_one(error):
                raise
    return refreshed
