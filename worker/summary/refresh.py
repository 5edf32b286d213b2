"""Refresh stale summaries: oldest change first, in bounded transactions, by any number of workers.

A run alternates between enrollments that changed, those that an LMS's own SQL marked, and those whose course got
another outline, so that no kind waits for another. It skips locked rows, but waits briefly for a few of the changes
that are very old, so that a busy enrollment is not skipped forever.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.database.chunked_refresh import ChunkedRefresh
from worker.database.failures import may_be_caused_by_one
from worker.database.one_by_one import RETRY_SECONDS
from worker.database.rollup_lag import oldest_change
from worker.progress.outlines import hold_outlines
from worker.summary import claims
from worker.summary.statement import compute_summaries

LATE_SECONDS = 60.0
"""A change older than this is waited for, not skipped."""

LATE_PICKS = 5
"""Maximum number of such changes in a run, each waited for up to `lock_timeout` while all others wait."""


@dataclass(frozen=True, slots=True)
class RefreshedSummaries:
    """The result of one run, with the oldest change that it left."""

    summaries: int
    failed: list[int]
    """Enrollments that failed on their own."""
    oldest_change_at: datetime | None


def refresh_summaries(
    engine: Engine,
    chunk: int,
    go_on: Callable[[], bool] = lambda: True,
    *,
    late_seconds: float = LATE_SECONDS,
    retry_seconds: float = RETRY_SECONDS,
) -> RefreshedSummaries:
    """Refresh stale summaries, up to `chunk` a transaction, until no unlocked one is left.

    Asks `go_on` before each round of claims but the first, so that every run makes progress. The members of a failed
    chunk are tried one by one; one that fails alone is retried once all others are done and `retry_seconds` have passed
    since the last failure. Idempotent; safe on several workers and at any point of a crash. Raises PostgreSQL's errors
    that no single enrollment can cause.
    """
    begin = partial(_begin, engine)
    run = ChunkedRefresh("summaries", engine, chunk, go_on, begin, claims.claim_one, compute_summaries)
    with engine.connect() as connection:
        late = claims.late_enrollments(connection, late_seconds, LATE_PICKS)
    for each in late:
        run.refresh(partial(claims.claim_late, user_course_id=each), give_up=True)
    while True:
        done = run.refresh(claims.claim_changed)
        done += run.refresh(claims.claim_marked)
        done += _refresh_outlined(run)
        if not go_on():
            break
        if not done:
            run.retry(retry_seconds)
            break
    with engine.connect() as connection:
        return RefreshedSummaries(run.count, run.failed, oldest_change(connection, "summaries"))


def refresh_these(engine: Engine, ids: Sequence[int]) -> None:
    """Refresh the summaries of these enrollments in one transaction.

    If any is refused, all keep their marks for the next `refresh_summaries`; so do locked ones.
    """
    try:
        with _begin(engine) as connection:
            if claimed := claims.claim_these(connection, ids):
                compute_summaries(connection, claimed)
    except DBAPIError as error:
        if not may_be_caused_by_one(error):
            raise


@contextmanager
def _begin(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        hold_outlines(connection)  # before any row is locked, so that waiting here delays no event
        yield connection


def _refresh_outlined(run: ChunkedRefresh) -> int:
    """Refresh a chunk of the first course that has unlocked summaries of an older outline; settle finished courses."""
    with run.begin() as connection:
        claims.settle_courses(connection)
        courses = claims.stale_courses(connection)
    for course in courses:
        if done := run.refresh(partial(claims.claim_outlined, course=course)):
            return done
    return 0
