"""Refresh the stored summaries that are stale: oldest change first, in bounded transactions, by any number of workers.

A run takes its enrolments by turns from those that changed, those that an LMS marked by its own SQL, and those whose
course got another outline, so that no kind waits for another. It passes over rows that are locked. Of changes that have
waited for very long it picks a few and waits for each a moment, so that no enrollment is put off for ever because it is
busy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.storage import outline, summary_refresh
from worker.storage.database import is_passing

LATE_SECONDS = 60.0
"""A change that waited so long is no longer passed over."""

LATE_PICKS = 5
"""So many of those a run waits for, each alone and up to `lock_timeout`: the others' summaries wait meanwhile."""

COURSES = 20
"""So many stale courses are looked through for an enrolment that nobody holds."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one run did, and the oldest change that it left."""

    summaries: int
    oldest_change_at: datetime | None


def refresh_summaries(
    engine: Engine, chunk: int, go_on: Callable[[], bool] = lambda: True, *, late_seconds: float = LATE_SECONDS
) -> Refreshed:
    """Refresh what is stale, up to `chunk` enrolments a transaction, until nothing is left that is free.

    Asks `go_on` before each round of claims but the first, so that every run gets on. A transaction that takes too long
    is tried again with fewer enrolments, and the rest of the run keeps to that. Idempotent, safe on several workers at
    once and at any point of a crash. Raises PostgreSQL's errors.
    """
    run = _Run(engine, chunk)
    with engine.connect() as connection:
        late = summary_refresh.late_enrollments(connection, late_seconds, LATE_PICKS)
    count = sum(run.refresh(partial(summary_refresh.claim_late, user_course_id=each), give_up=True) for each in late)
    while True:
        done = run.refresh(summary_refresh.claim_changed)
        done += run.refresh(summary_refresh.claim_marked)
        done += _outlined(run)
        count += done
        if not done or not go_on():
            break
    with engine.connect() as connection:
        return Refreshed(count, summary_refresh.oldest_change(connection))


class _Claim(Protocol):
    def __call__(self, connection: Connection, *, limit: int) -> list[int]: ...


@dataclass(slots=True)
class _Run:
    engine: Engine
    chunk: int

    def refresh(self, claim: _Claim, *, give_up: bool = False) -> int:
        """Refresh what the claim locks; how many. Where that takes too long: `give_up`, or fewer from now on."""
        while True:
            try:
                with self.engine.begin() as connection:
                    outline.hold_outlines(connection)  # first: a wait for it must hold up no event
                    ids = claim(connection, limit=self.chunk)
                    if ids:
                        summary_refresh.refresh(connection, ids)
                    return len(ids)
            except DBAPIError as error:
                if not is_passing(error):
                    raise
                if give_up:
                    return 0
                if self.chunk == 1:
                    raise
                self.chunk = max(1, self.chunk // 4)


def _outlined(run: _Run) -> int:
    """Up to a chunk of enrolments of the first course that has some free; courses that have none left are settled."""
    with run.engine.begin() as connection:
        outline.hold_outlines(connection)
        summary_refresh.settle_courses(connection)
        courses = summary_refresh.stale_courses(connection, COURSES)
    for course in courses:
        if done := run.refresh(partial(summary_refresh.claim_outlined, course=course)):
            return done
    return 0
