"""The whole system on one test's servers: publish, start real workers and beats, wait, compare everything."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

from redis import ResponseError
from sqlalchemy import Connection, create_engine, text

from tests.support.activity import IDLE_CUTOFF
from tests.support.model import LmsRows, assert_tables_equal_model, expected_state
from tests.support.rollups import BEHIND, assert_rollups_equal_model, audited, refresh_activity
from tests.support.tables import rows
from tests.support.wait import wait_until
from tests.support.worker_process import ROOT, CeleryProcess
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.client import EventPublisher
from worker.contract.entry import FIELD
from worker.contract.event import CloudEvent, Event
from worker.database import search_path
from worker.settings import Settings, variable_name
from worker.streams import backlog
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.summary.refresh import refresh_summaries

QUICK_START = ("--without-mingle", "--without-gossip")
"""Spares a worker the second in which it asks its fellows for news."""

BLOCKED_BATCHES = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'progress-worker' AND wait_event_type = 'Lock'
"""
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
_ARRIVED = "SELECT count(*) FROM dead_letter JOIN user_course ON user_course.id = dead_letter.user_course_id"


class System:
    """One test's database, streams and processes."""

    def __init__(self, settings: Settings, redis: Redis, directory: Path) -> None:
        scheduled = ("wake_up", "maintain", "summary", "statistics", "activity")
        schedule = dict.fromkeys((f"{name}_seconds" for name in scheduled), 0.5)
        self.settings = settings.model_copy(update=schedule)
        self.engine = create_engine(
            str(settings.database_url), pool_pre_ping=True, connect_args={"application_name": "test"}
        )
        search_path.put_first(self.engine, settings.database_schema)
        self.redis = redis
        self.directory = directory
        self.keys = Keys.of(settings)
        self._processes = ExitStack()
        self._running: list[CeleryProcess] = []
        self.extra_environment: dict[str, str] = {}
        self._started = 0
        self._deadlocks = self._count_deadlocks()

    def environment(self, **changes: object) -> dict[str, str]:
        """For a process on this system; keywords change settings, by their names in `worker.settings`."""
        settings = self.settings.model_copy(update=changes).model_dump(exclude_none=True)
        named = {variable_name(name): str(value) for name, value in settings.items()}
        return os.environ | named | self.extra_environment

    def start_worker(self, processes: int = 2, *arguments: str, **changes: object) -> CeleryProcess:
        """`celery -A worker worker` with so many pool processes; keywords change settings."""
        arguments = ("worker", "--concurrency", str(processes), *QUICK_START, *arguments)
        return self._start(self.environment(**changes), arguments)

    def start_beat(self, **changes: object) -> CeleryProcess:
        """`celery -A worker beat`; keywords change settings."""
        return self._start(self.environment(**changes), ("beat",))

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path = ROOT) -> CeleryProcess:
        """Any other `celery -A worker …`."""
        return self._start(environment or self.environment(), arguments, cwd)

    def _start(self, environment: Mapping[str, str], arguments: tuple[str, ...], cwd: Path = ROOT) -> CeleryProcess:
        self._started += 1
        log = self.directory / f"{arguments[0]}-{self._started}.log"
        name = ("--hostname", f"w{self._started}@%h") if arguments[0] == "worker" else ()
        process = CeleryProcess(environment, log, *arguments, *name, cwd=cwd)
        self._processes.callback(process.close)
        self._running.append(process)
        return process

    def close(self) -> None:
        """End every process that was started here."""
        self._processes.close()
        self.engine.dispose()

    def publish(self, events: Iterable[Any]) -> int:
        """Publish as an LMS does, each event to its partition."""
        return EventPublisher(settings=self.settings).publish_many(events)

    def publish_bodies(self, bodies: Iterable[bytes], stream: str | None = None) -> list[bytes]:
        """Append these bytes to one stream, by default the plain one, all at once; the entries' ids."""
        pipeline = self.redis.pipeline(transaction=True)
        for body in bodies:
            pipeline.xadd(stream or self.settings.stream_key, {FIELD: body})
        return list(pipeline.execute())

    def is_drained(self) -> bool:
        """No stream has an entry that waits or is pending, and no parked event's enrollment is there."""
        return backlog.is_empty(self.backlogs()) and rows(self.engine, _ARRIVED) == [(0,)]

    def backlogs(self) -> list[backlog.Backlog]:
        """Every stream as the group sees it."""
        return backlog.measure(self.redis, self.keys.group, self.keys.streams)

    def lengths(self) -> list[int]:
        """How many entries each stream holds."""
        return [each.length for each in self.backlogs()]

    def unread(self) -> int:
        """How many entries nobody was given yet."""
        return sum(each.lag for each in self.backlogs())

    def wait_until_drained(self, seconds: float = 60) -> None:
        """Wait until nothing is left to do."""
        try:
            wait_until(self.is_drained, seconds, "the end of the backlog")
        except AssertionError as error:
            logs = "\n\n".join(process.tail(30) for process in self._running)
            raise AssertionError(f"{self.backlogs()}\n\n{logs}") from error

    def pending(self) -> dict[str, int]:
        """How many entries are pending on each consumer that has any."""
        found: Counter[str] = Counter()
        for name, pending in self._members():
            found[name] += pending
        return {name: pending for name, pending in found.items() if pending}

    def consumers(self) -> set[str]:
        """Every consumer that some stream's group knows."""
        return {name for name, _ in self._members()}

    def _members(self) -> Iterator[tuple[str, int]]:
        for stream in self.keys.streams:
            try:
                members = self.redis.xinfo_consumers(stream, self.keys.group)
            except ResponseError:  # nobody has published or read there yet
                continue
            for each in members:
                yield each["name"].decode(), each["pending"]

    def holder(self, stream: str) -> str | None:
        """The consumer that has leased the stream."""
        found: Any = self.redis.get(self.keys.lease(stream))
        return None if found is None else str(found, "ascii")

    def delivered(self, stream: str, count: int = 1_000) -> list[dict[str, Any]]:
        """The first entries pending on the stream, each with `times_delivered` and `time_since_delivered`."""
        try:
            found: Any = self.redis.xpending_range(stream, self.keys.group, "-", "+", count)
        except ResponseError:  # nobody has read there yet
            return []
        return list(found)

    def dead_letters(self) -> dict[str, int]:
        """How many dead letters there are for each reason."""
        return dict(rows(self.engine, "SELECT reason, count(*) FROM dead_letter GROUP BY reason"))

    def recorded(self) -> int:
        """How many events the ledger holds."""
        return int(rows(self.engine, "SELECT count(*) FROM lesson_event")[0][0])

    @contextmanager
    def locked(self, statement: str) -> Iterator[Connection]:
        """Hold what the statement locks until the block ends, however long that is."""
        with self.engine.connect() as connection:
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text(statement))
            yield connection
            connection.rollback()

    def wait_for_blocked_batch(self, count: int = 1) -> list[int]:
        """Wait until so many batches wait in their transactions for a lock; PostgreSQL's process ids."""

        def blocked() -> list[int]:
            found = [pid for (pid,) in rows(self.engine, BLOCKED_BATCHES)]
            return found if len(found) >= count else []

        return wait_until(blocked, what="a batch that waits for a lock")

    def assert_exact(
        self,
        events: Iterable[CloudEvent],
        *,
        rejected: Mapping[str, int] | None = None,
        lms_rows: LmsRows | None = None,
        deadlocks: int = 0,
        seconds: float = 60,
    ) -> None:
        """Drained, every table like the plain-Python model's, the planted dead letters alone, no deadlock.

        The rollups too: brought up to date here if no worker does it, like the model's, and nothing for an audit.
        """
        self.wait_until_drained(seconds)
        known = cast("list[Event]", list(events))
        assert_tables_equal_model(self.engine, known, lms_rows=lms_rows, rejected=rejected)
        self.wait_for_current_rollups(seconds)
        assert_rollups_equal_model(self.engine, expected_state(known, lms_rows))
        assert audited(self.engine) == []
        assert {(each.lag, each.pending) for each in self.backlogs()} == {(0, 0)}
        assert self.deadlocks() == deadlocks

    def wait_for_current_rollups(self, seconds: float = 60) -> None:
        """Wait until every summary and all statistics are up to date; brought there here if no worker does it."""
        wait_until(self._are_rollups_current, seconds, "the refresh of every rollup")

    def deadlocks(self) -> int:
        """How many PostgreSQL has counted in this database since the test began."""
        return self._count_deadlocks() - self._deadlocks

    def _are_rollups_current(self) -> bool:
        refresh_summaries(self.engine, 500)
        refresh_activity(self.engine, 500, IDLE_CUTOFF.total_seconds())
        refresh_statistics(self.engine, 60, AnalysisThresholds())
        return rows(self.engine, BEHIND) == [(False,)]

    def _count_deadlocks(self) -> int:
        return int(rows(self.engine, _DEADLOCKS)[0][0])
