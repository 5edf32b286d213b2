"""Refresh the stored summaries that are stale: oldest change first, in bounded transactions, by any number of workers.

A run takes its enrollments by turns from those that changed, those that an LMS marked by its own SQL, and those whose
course got another outline, so that no kind waits for another. It passes over rows that are locked. Of changes that have
waited for very long it picks a few and waits for each a moment, so that no enrollment is put off for ever because it is
busy.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.database.failures import may_be_ones_own
from worker.database.one_by_one import RETRY_SECONDS, one_by_one
from worker.progress import outlines
from worker.summary import claims

LATE_SECONDS = 60.0
"""A change that waited so long is no longer passed over."""

LATE_PICKS = 5
"""So many of those a run waits for, each alone and up to `lock_timeout`: the others' summaries wait meanwhile."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one run did, and the oldest change that it left."""

    summaries: int
    failed: list[int]
    """Enrollments that PostgreSQL refused by themselves."""
    oldest_change_at: datetime | None


def refresh_summaries(
    engine: Engine,
    chunk: int,
    go_on: Callable[[], bool] = lambda: True,
    *,
    late_seconds: float = LATE_SECONDS,
    retry_seconds: float = RETRY_SECONDS,
) -> Refreshed:
    """Refresh what is stale, up to `chunk` enrollments a transaction, until nothing is left that is free.

    Asks `go_on` before each round of claims but the first, so that every run gets on. The members of a chunk that fails
    are tried one by one; one that fails by itself is left out until all others are done and nobody failed for
    `retry_seconds`. Idempotent, safe on several workers at once and at any point of a crash. Raises PostgreSQL's errors
    that are not about some enrollment.
    """
    run = _Run(engine, chunk, go_on)
    with engine.connect() as connection:
        late = claims.late_enrollments(connection, late_seconds, LATE_PICKS)
    for each in late:
        run.refresh(partial(claims.claim_late, user_course_id=each), give_up=True)
    while True:
        done = run.refresh(claims.claim_changed)
        done += run.refresh(claims.claim_marked)
        done += _outlined(run)
        if not go_on():
            break
        if not done:
            run.retry(retry_seconds)
            break
    with engine.connect() as connection:
        return Refreshed(run.count, run.failed, claims.oldest_change(connection))


class _Claim(Protocol):
    def __call__(self, connection: Connection, *, limit: int) -> list[int]: ...


@dataclass(slots=True)
class _Run:
    engine: Engine
    chunk: int
    go_on: Callable[[], bool]
    count: int = 0
    failed: list[int] = field(default_factory=list)

    def refresh(self, claim: _Claim, *, give_up: bool = False) -> int:
        """Refresh what the claim locks; how many it locked. Where that fails: `give_up`, or one by one."""
        ids: list[int] = []
        try:
            with self.engine.begin() as connection:
                outlines.hold_outlines(connection)  # first: a wait for it must hold up no event
                claimed = claim(connection, limit=self.chunk)
                if claimed:
                    ids = claimed  # from here on it may be the doing of one of them
                    claims.refresh(connection, ids)
        except DBAPIError as error:
            if not may_be_ones_own(error):
                raise
            if give_up:
                return 0  # somebody holds one of them for very long; the others are free for the next claim
            if not ids:
                raise
            known = len(self.failed)
            self.failed += one_by_one(ids, self.refresh_one, self.set_back, self.go_on)
            if len(self.failed) == known:  # nobody's doing: all together were too many
                self.chunk = max(1, self.chunk // 4)
        else:
            self.count += len(ids)
        return len(ids)

    def refresh_one(self, user_course_id: int) -> None:
        with self.engine.begin() as connection:
            outlines.hold_outlines(connection)
            ids = claims.claim_one(connection, user_course_id)
            if ids:
                claims.refresh(connection, ids)
        self.count += len(ids)

    def retry(self, retry_seconds: float) -> None:
        """Try those again that failed, the longest ago first, until one fails again or is held by somebody."""
        while (found := self.longest_failed(retry_seconds)) is not None:
            before = self.count
            self.failed += one_by_one([found], self.refresh_one, self.set_back, self.go_on)
            if self.count == before or not self.go_on():
                return

    def longest_failed(self, retry_seconds: float) -> int | None:
        with self.engine.connect() as connection:
            return claims.longest_failed(connection, retry_seconds)

    def set_back(self, user_course_id: int) -> None:
        with self.engine.begin() as connection:
            claims.mark_failed(connection, user_course_id)


def _outlined(run: _Run) -> int:
    """Up to a chunk of enrollments of the first course that has some free; courses that have none left are settled."""
    with run.engine.begin() as connection:
        outlines.hold_outlines(connection)
        claims.settle_courses(connection)
        courses = claims.stale_courses(connection)
    for course in courses:
        if done := run.refresh(partial(claims.claim_outlined, course=course)):
            return done
    return 0
