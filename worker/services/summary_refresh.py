"""Refresh the stored summaries that are stale: oldest change first, in bounded transactions, by any number of workers.

A run takes its enrolments by turns from those that changed and from those whose course got another outline, so that
neither kind waits for the other. It passes over rows that are locked, except for changes that have waited for very
long: for those it waits, so that no enrolment is put off for ever because it is busy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.storage import outline, summary_refresh
from worker.storage.database import Failure, classify, has_answered

LATE_SECONDS = 60.0
"""A change that waited so long is no longer passed over."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one run did, and the oldest change that it left."""

    summaries: int
    oldest_change_at: datetime | None


def refresh_summaries(
    engine: Engine, chunk: int, go_on: Callable[[], bool] = lambda: True, *, late_seconds: float = LATE_SECONDS
) -> Refreshed:
    """Refresh what is stale, `chunk` enrolments a transaction, until nothing is left that is free, or `go_on` says no.

    Asks before each transaction but the first, so that every run gets on. Idempotent, safe on several workers at once
    and at any point of a crash.
    """
    count = _late(engine, chunk, late_seconds)
    while True:
        done = _refresh(engine, partial(summary_refresh.claim_changed, limit=chunk))
        done += _outlined(engine, chunk)
        count += done
        if not done or not go_on():
            break
    with engine.connect() as connection:
        return Refreshed(count, summary_refresh.oldest_change(connection))


def _refresh(engine: Engine, claim: Callable[[Connection], list[int]]) -> int:
    with engine.begin() as connection:
        ids = claim(connection)
        if ids:
            outline.hold_outlines(connection)
            summary_refresh.refresh(connection, ids)
        return len(ids)


def _late(engine: Engine, chunk: int, seconds: float) -> int:
    """Those that have waited for very long, in a transaction that waits for their locks; none when that takes long."""
    try:
        return _refresh(engine, partial(summary_refresh.claim_late, limit=chunk, seconds=seconds))
    except DBAPIError as error:
        if has_answered(error) and classify(error) is Failure.TRANSIENT:
            return 0  # somebody holds one of them for very long; the others are free for the next claim
        raise


def _outlined(engine: Engine, chunk: int) -> int:
    """Up to `chunk` enrolments of the first course that has some to refresh; those that have none left are settled."""
    with engine.connect() as connection:
        courses = summary_refresh.stale_courses(connection)
    for course in courses:
        if done := _refresh(engine, partial(summary_refresh.claim_outlined, course=course, limit=chunk)):
            return done
        with engine.begin() as connection:
            summary_refresh.settle_course(connection, course)
    return 0
