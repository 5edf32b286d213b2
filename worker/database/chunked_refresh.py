"""Refresh a rollup of enrollments in chunks, so that one that PostgreSQL refuses does not hold up the others."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.database import stale_marks
from worker.database.engine import extend_timeout
from worker.database.failures import may_be_caused_by_one
from worker.database.one_by_one import one_by_one


class Claim(Protocol):
    """Locks up to `limit` enrollments."""

    def __call__(self, connection: Connection, *, limit: int) -> list[int]:
        """Return their ids."""


@dataclass(slots=True)
class ChunkedRefresh:
    """One run. Each transaction begins with `begin`, claims a chunk and computes it; a failed one is split."""

    rollup: stale_marks.Rollup
    engine: Engine
    chunk: int
    go_on: Callable[[], bool]
    begin: Callable[[], AbstractContextManager[Connection]]
    claim_one: Callable[[Connection, int], list[int]]
    compute: Callable[[Connection, Sequence[int]], None]
    count: int = 0
    failed: list[int] = field(default_factory=list)

    def refresh(self, claim: Claim, *, give_up: bool = False) -> int:
        """Refresh what the claim locks, after a failure one by one unless `give_up`; return how many it locked.

        Raises PostgreSQL's errors that no single enrollment can cause.
        """
        ids: list[int] = []
        try:
            with self.begin() as connection:
                claimed = claim(connection, limit=self.chunk)
                if claimed:
                    ids = claimed  # from here on one of them may be the cause
                    self.compute(connection, ids)
        except DBAPIError as error:
            if not may_be_caused_by_one(error):
                raise
            if give_up:
                return 0
            if not ids:
                raise
            failed_before = len(self.failed)
            self.failed += one_by_one(ids, self._refresh_one, self._mark_failed, self.go_on)
            if len(self.failed) == failed_before:  # only too many at once
                self.chunk = max(1, self.chunk // 4)
        else:
            self.count += len(ids)
        return len(ids)

    def retry(self, retry_seconds: float, timeout_seconds: float | None = None) -> None:
        """Retry failed enrollments, the oldest failure first, until one fails again or is locked.

        None while any failed in the last `retry_seconds`. Statements may take `timeout_seconds`.
        """
        while (found := self._longest_failed(retry_seconds)) is not None:
            count_before = self.count
            self.failed += one_by_one(
                [found], lambda each: self._refresh_one(each, timeout_seconds), self._mark_failed, self.go_on
            )
            if self.count == count_before or not self.go_on():
                return

    def _refresh_one(self, user_course_id: int, timeout_seconds: float | None = None) -> None:
        with self.begin() as connection:
            ids = self.claim_one(connection, user_course_id)
            if timeout_seconds is not None:
                extend_timeout(connection, timeout_seconds)
            if ids:
                self.compute(connection, ids)
        self.count += len(ids)

    def _longest_failed(self, retry_seconds: float) -> int | None:
        with self.engine.connect() as connection:
            return stale_marks.longest_failed(connection, self.rollup, retry_seconds)

    def _mark_failed(self, user_course_id: int) -> None:
        with self.engine.begin() as connection:
            stale_marks.mark_failed(connection, self.rollup, user_course_id)
