"""One member of the consumer group: reads entries, records them, acknowledges them.

It lives as long as its process (or thread). What it reads is recorded, then acknowledged, or stays pending in Redis;
after an error `worker.consume.recovery` records what is pending before anything new is read.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from uuid import uuid4

from redis import RedisError

from worker.consume.held_back import HeldBack
from worker.consume.leases import Leases
from worker.consume.stalled_streams import StalledStreams
from worker.contract.batch import Batch, parse_batch
from worker.contract.entry import Entry
from worker.contract.system_id import System
from worker.database.engine import Engine
from worker.database.failures import replace_sessions
from worker.failover.ownership import refuse_others
from worker.logs import get_logger
from worker.progress.commits import Commits
from worker.progress.ingest import ingest, ingest_awaiting
from worker.progress.outcome import Outcome
from worker.progress.redrive import apply_parked
from worker.settings import Settings
from worker.streams import backlog, consumers, read
from worker.streams.batch_size import AdaptiveBatchSize, split_batches
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.stray_streams import StrayFinder
from worker.streams.totals import add_totals

log = get_logger(__name__)

KeepAlive = Callable[[], bool]
"""Called between transactions: renews the leases and gives a sign of life. False when reading must stop."""

Part = tuple[Sequence[Entry], Batch | None]
"""Entries for one transaction; parsed, if they are already."""


WantsMore = Callable[[frozenset[str], bool], bool]
"""Whether to read on under a backlog, given the busy streams and whether the backlog is new."""


class ReadingStopped(Exception):  # noqa: N818 - not an error
    """Reading must stop before everything delivered was recorded; the rest stays pending."""


def always() -> bool:
    """Go on: for callers without leases or a deadline."""
    return True


def never(_busy: frozenset[str], _is_new: bool, /) -> bool:
    """Read one batch."""
    return False


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The result of a read."""

    count: int = 0
    """Entries read."""
    is_behind: bool = False
    """A backlog was found: at least half of a full batch at once."""
    busy: frozenset[str] = frozenset()
    """The streams of the last entries read."""
    is_refused: bool = False
    """PostgreSQL refused every entry of the last batch."""


@dataclass
class Consumer:
    """Its connections and leases, and its memory from one drain to the next."""

    settings: Settings
    redis: Redis
    engine: Engine
    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.keys = Keys(self.settings.stream_key, self.settings.stream_partitions)
        self.leases = Leases(self.redis, self.keys, self.name, self.settings.lease_seconds)
        self.batch_size = AdaptiveBatchSize(self.settings.batch_size)
        self.commits = Commits(self.name)
        self.held_back = HeldBack(self.settings, self.redis, self.engine, self.keys, self.name)
        self.system: System | None = None
        """The system of its database, once that is known."""
        self.strays = StrayFinder()
        self._busy = frozenset(self.keys.streams)
        self._knows_backlog = False
        self._stalled = StalledStreams(self.settings.stalled_seconds)
        self._reading_thread = ThreadPoolExecutor(1, "read-ahead")

    def read(
        self,
        streams: Sequence[str],
        block_seconds: float | None,
        wants_more: WantsMore = never,
        keep_alive: KeepAlive = always,
    ) -> ReadResult:
        """Read and record what is new on these streams: about a batch, less when less waits.

        Under a backlog, while `wants_more` agrees, a thread reads and parses the next batch while PostgreSQL records
        this one. All entries read are recorded when this returns, or pending when it raises.
        """
        count, is_behind, is_refused = 0, False, False
        fetch = self._fetcher(streams, block_seconds)
        while fetched := fetch():
            entries = [entry for part, _ in fetched for entry in part]
            count += len(entries)
            is_backlog = 2 * len(entries) >= self.settings.batch_size
            is_behind |= is_backlog
            self._busy = frozenset(entry.stream for entry in entries)
            self.batch_size.observe(entries)
            following: Future[list[Part]] | None = None
            if is_backlog and keep_alive():
                is_new, self._knows_backlog = not self._knows_backlog, True
                if wants_more(self._busy, is_new):
                    following = self._reading_thread.submit(self._fetcher(streams, None))
            try:
                for part, batch in fetched:
                    keep_alive()
                    is_refused = bool(self._record_batch(part, batch, keep_alive).everything_refused)
            except BaseException:
                if following:
                    wait([following])  # before anyone asks what is pending here
                raise
            if following is None:
                break
            fetch = following.result
        if not count:
            self._knows_backlog = False
        return ReadResult(count, is_behind, self._busy, is_refused)

    def _fetcher(self, streams: Sequence[str], block_seconds: float | None) -> Callable[[], list[Part]]:
        """Return a function that reads once, here or in the reading thread, and parses the first part.

        Further parts exist only if entries are large; they are parsed when they are recorded, to save memory.
        """
        count = self.share(streams)

        def fetch() -> list[Part]:
            entries = read.read_new(self.redis, self.keys.group, self.name, streams, count, block_seconds)
            parts = split_batches(entries, self.settings.batch_size)
            return [(part, None if number else parse_batch(part)) for number, part in enumerate(parts)]

        return fetch

    def share(self, streams: Sequence[str]) -> int:
        """Return how many entries to ask of each stream: Redis counts per stream, and not all have some."""
        return max(1, self.batch_size.entries // max(1, min(len(self._busy), len(streams))))

    def finish_reading(self) -> None:
        """Wait for the reading thread: whatever it was given is pending afterwards."""
        self._reading_thread.submit(int).result()

    def record(self, entries: Sequence[Entry], keep_alive: KeepAlive = always) -> None:
        """Record all of these entries, which were delivered before, batch by batch."""
        for part in split_batches(entries, self.settings.batch_size):
            keep_alive()
            self._record_batch(part, None, keep_alive, seen_before=True)

    def retry(self, keep_alive: KeepAlive = always) -> None:
        """Try the entries held back that are due."""
        for part in split_batches(self.held_back.due(), self.settings.batch_size):
            keep_alive()
            self._record_batch(part, parse_batch(part), keep_alive, seen_before=True, is_due=True)
        if busy := self.held_back.busy():
            started, (user_course_id, entries) = time.monotonic(), busy
            outcome = ingest_awaiting(self.engine, entries, user_course_id, self.commits)
            self._settle(entries, outcome, started, keep_alive, is_due=True)

    def _record_batch(
        self,
        entries: Sequence[Entry],
        batch: Batch | None,
        keep_alive: KeepAlive,
        *,
        seen_before: bool = False,
        is_due: bool = False,
    ) -> Outcome:
        """Record, commit and acknowledge.

        Entries for an enrollment that others wait for join these, unless they are due themselves.
        """
        started = time.monotonic()
        if not is_due:
            entries, batch = self.held_back.without(entries, batch)
        final = is_due and self.held_back.is_refusal_final()
        how = {"seen_before": seen_before, "final": final, "careful": self.held_back.is_careful()}
        outcome = ingest(self.engine, entries, batch=batch, commits=self.commits, **how)
        self.held_back.note(outcome, entries, final=final, is_due=is_due)
        if outcome.everything_refused:
            replace_sessions(self.engine)
        self._settle(entries, outcome, started, keep_alive, is_due=is_due)
        return outcome

    def _settle(
        self, entries: Sequence[Entry], outcome: Outcome, started: float, keep_alive: KeepAlive, *, is_due: bool
    ) -> None:
        """Acknowledge what was committed and hold back the rest; then apply what was parked for new enrollments."""
        settled = outcome.settled(entries)
        self.acknowledge(settled)
        add_totals(self.redis, self.keys, outcome.totals)
        self.held_back.settle(entries, outcome)
        if is_due and not settled:
            return
        level = logging.WARNING if outcome.rejected else logging.INFO
        counts = {"consumer": self.name, "entries": len(entries), **outcome.counts, **outcome.reasons}
        log.log(level, "batch_recorded", **counts, seconds=round(time.monotonic() - started, 4))
        if outcome.enrolled:
            arrived = apply_parked(self.engine, outcome.enrolled, keep_alive)
            add_totals(self.redis, self.keys, arrived.totals)
            if arrived != Outcome():
                log.info("parked_events_applied", consumer=self.name, **arrived.counts)

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries that are committed, and write down beside the stream how far this consumer got."""
        read.acknowledge(self.redis, self.keys.group, entries, self.name, self.commits.committed)

    def check_system(self) -> None:
        """Raise OtherSystemError unless the streams still belong to this consumer's database."""
        if self.system is not None:
            refuse_others(self.redis, self.keys, self.system)

    def find_strays(self) -> None:
        """Adopt streams beyond the partitions."""
        self.keys = self.strays.find(self.redis, self.keys)
        self.leases.adopt(self.keys)

    def stalled_streams(self) -> list[str]:
        """Return streams leased by others whose unread entries have not been delivered for a while. Ask repeatedly."""
        others = [stream for stream in self.keys.streams if stream not in self.leases.held]
        return self._stalled.among(backlog.measure(self.redis, self.keys.group, others))

    def leave(self) -> None:
        """Leave the group where nothing is pending here, and close the connections. Redis may be away."""
        self._reading_thread.shutdown()
        try:
            consumers.remove_consumer(self.redis, self.keys.group, self.keys.streams, self.name)
            self.redis.close()
        except RedisError:
            log.warning("consumer_left_behind", consumer=self.name)
        self.engine.dispose()
