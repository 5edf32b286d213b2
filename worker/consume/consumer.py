"""One member of the consumer group: reads entries, has them recorded, acknowledges them.

It lives as long as its process (or thread). Every method that reads also records and acknowledges, in that order;
one that raises leaves pending what it read, and then `interrupted` must be set.
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
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from worker.consume.held_back import HeldBack
from worker.consume.leases import Leases
from worker.consume.stalled_streams import StalledStreams
from worker.contract.entry import Entry, Reason
from worker.contract.fast_path import Batch, parse_batch
from worker.contract.system_id import System
from worker.database import schema
from worker.database.failures import has_answered
from worker.errors import ProgressError, first_line
from worker.failover.lost_commits import reconcile
from worker.failover.ownership import claim_streams, refuse_others
from worker.logs import get_logger
from worker.progress.commits import Commits
from worker.progress.ingest import ingest, ingest_awaiting, store_dead_letter
from worker.progress.outcome import Outcome
from worker.progress.redrive import apply_parked
from worker.settings import Settings
from worker.streams import backlog, read, trim
from worker.streams.batch_size import AdaptiveBatchSize, split_batches
from worker.streams.connection import Redis
from worker.streams.future_deliveries import FutureDeliveries
from worker.streams.keys import Keys
from worker.streams.quarantine import trial
from worker.streams.stray_streams import StrayFinder
from worker.streams.totals import add_totals

log = get_logger(__name__)

Portion = tuple[Sequence[Entry], Batch | None]
"""Entries for one transaction; and parsed, if they are already."""


class ReadingStopped(Exception):  # noqa: N818 - not an error
    """Reading must stop before everything delivered was recorded; the rest stays pending."""


@dataclass
class Consumer:
    """Its connections, its leases, and what it must remember from one drain to the next."""

    settings: Settings
    redis: Redis
    engine: Engine
    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}")
    interrupted: bool = True
    """Something failed since the last acknowledgement (or nothing was tried yet): recover before reading on."""
    pulse: Callable[[], bool] = lambda: True
    """Called between transactions, to keep the leases and give a sign of life; False when reading must stop."""

    def __post_init__(self) -> None:
        self.keys = Keys(self.settings.stream_key, self.settings.stream_partitions)
        self.leases = Leases(self.redis, self.keys, self.name, self.settings.lease_seconds)
        self._batch_size_now = AdaptiveBatchSize(self.settings.batch_size)
        self.busy = frozenset(self.keys.streams)
        """The streams that had something at the last read."""
        self.behind = False
        """The last call of `read` found a backlog: at least half of a full batch at once."""
        self.has_rung = False
        """The present backlog was announced: one ring for each, or a busy queue would hold nothing but rings."""
        self._system: System | None = None
        self._commits = Commits(self.name)
        self._reading_thread = ThreadPoolExecutor(1, "read-ahead")
        self.held_back = HeldBack(self.settings, self.redis, self.engine, self.keys, self.name)
        self.refused = False  # all of the last batch that came, by PostgreSQL
        self._cursors: dict[str, str] = {}
        self._reclaim_at = 0.0
        self._future = FutureDeliveries(self.redis, self.keys.group, self.settings.reclaim_idle_seconds)
        self._stalled = StalledStreams(self.settings.stalled_seconds)
        self._strays = StrayFinder()

    def recover(self) -> None:
        """Return when both servers are ours, nothing is lost and what was pending here is recorded; else raise.

        Asks PostgreSQL first: an entry read again and again while it is away would look like one that kills workers. A
        suspect that cannot be recorded now stays pending and holds up nothing; it is reclaimed later, by anyone.
        """
        with self.engine.connect() as connection:
            schema.check(connection)
            self._system = claim_streams(connection, self.redis, self.keys, self.name)
        self._reading_thread.submit(int).result()  # what it was still given is pending from here on
        self.held_back.forget()
        self._strays.look_again()
        self.find_strays()
        read.create_groups(self.redis, self.keys.group, self.keys.streams)
        ends_at = time.monotonic() + self.settings.slice_seconds
        batch_size, go_on = self.settings.batch_size, lambda: self.pulse() and time.monotonic() < ends_at
        if not reconcile(self.engine, self.redis, self.keys, self._commits, batch_size, go_on):
            raise ReadingStopped
        after = dict.fromkeys(self.keys.streams, "0")
        while entries := read.read_pending(
            self.redis, self.keys.group, self.name, after, self._share(self.keys.streams)
        ):
            self._record_again(entries)
            after |= {entry.stream: entry.id for entry in entries}
        self.interrupted = False

    def check_system(self) -> None:
        """Raises OtherSystemError unless the streams are still those of this consumer's database."""
        if self._system is not None:
            refuse_others(self.redis, self.keys, self._system)

    def reclaim(self, streams: Sequence[str]) -> None:
        """Every few seconds, take over and record what has been pending too long on these streams, one page of each."""
        if time.monotonic() < self._reclaim_at:
            return
        self._reclaim_at = time.monotonic() + self.settings.reclaim_interval_seconds
        for stream in streams:
            idle, cursor = self.settings.reclaim_idle_seconds, self._cursors.get(stream, "0-0")
            self._cursors[stream], entries = read.reclaim(
                self.redis, self.keys.group, self.name, stream, idle, cursor, self._batch_size_now.entries
            )
            if self._cursors[stream] != "0-0":
                self._reclaim_at = 0.0
            if entries:
                log.info("entries_reclaimed", consumer=self.name, stream=stream, entries=len(entries))
                self._record_again(entries)
        for entries in self._future.take_over(self.name, self.keys.streams, streams, self._batch_size_now.entries):
            log.info("entries_reclaimed", consumer=self.name, stream=entries[0].stream, entries=len(entries))
            self._record_again(entries)

    def find_strays(self) -> None:
        """Take up streams beyond the partitions."""
        self.keys = self._strays.find(self.redis, self.keys)
        self.leases.adopt(self.keys)

    def read(
        self, streams: Sequence[str], block_seconds: float | None, read_on: Callable[[], bool] = lambda: False
    ) -> int:
        """Read and record what is new on these streams: about a batch, less when less waits; how many entries.

        Under a backlog, and as long as `read_on` says so, a thread reads and parses the next batch while PostgreSQL
        records this one. Whatever was read is recorded when this returns, or pending when it raises.
        """
        total, self.behind = 0, False
        fetch = self._reader(streams, block_seconds)
        while fetched := fetch():
            entries = [entry for part, _ in fetched for entry in part]
            total += len(entries)
            is_backlog = 2 * len(entries) >= self.settings.batch_size
            self.behind |= is_backlog
            self.busy = frozenset(entry.stream for entry in entries)
            self._batch_size_now.observe(entries)
            following: Future[list[Portion]] | None = None
            if is_backlog and self.pulse() and read_on():
                following = self._reading_thread.submit(self._reader(streams, None))
            try:
                for part, batch in fetched:
                    self.pulse()
                    self._record_batch(part, batch=batch)
            except BaseException:
                if following:
                    wait([following])  # before anyone asks what is pending here
                raise
            if following is None:
                break
            fetch = following.result
        return total

    def _reader(self, streams: Sequence[str], block_seconds: float | None) -> Callable[[], list[Portion]]:
        """A function that reads once, here or in the reading thread, and parses the first portion.

        Redis counts per stream, so the share of each follows how many of them had something the last time. Further
        portions, which there are only of large entries, are parsed when it is their turn: memory.
        """
        count = self._share(streams)

        def fetch() -> list[Portion]:
            entries = read.read_new(self.redis, self.keys.group, self.name, streams, count, block_seconds)
            parts = split_batches(entries, self.settings.batch_size)
            return [(part, None if number else parse_batch(part)) for number, part in enumerate(parts)]

        return fetch

    def retry(self) -> None:
        """Try again what is due of the entries held back."""
        for part in split_batches(self.held_back.due(), self.settings.batch_size):
            self.pulse()
            self._record_batch(part, batch=parse_batch(part), seen_before=True, is_due=True)
        if busy := self.held_back.busy():
            started, (user_course_id, entries) = time.monotonic(), busy
            outcome = ingest_awaiting(self.engine, entries, user_course_id, self._commits)
            self._settle(entries, outcome, started, is_due=True)

    def give_back(self) -> None:
        """Leave what is pending here to whoever reads its stream next. Raises RedisError."""
        idle_seconds = self.settings.reclaim_idle_seconds
        read.give_back_pending(self.redis, self.keys.group, self.name, self.keys.streams, idle_seconds)

    def leave(self) -> None:
        """Leave the group where nothing is pending here, and close the connections. Redis may be away."""
        self._reading_thread.shutdown()
        try:
            trim.remove_consumer(self.redis, self.keys.group, self.keys.streams, self.name)
            self.redis.close()
        except RedisError:
            log.warning("consumer_left_behind", consumer=self.name)
        self.engine.dispose()

    def stalled_streams(self) -> list[str]:
        """Streams not leased here whose unread entries nobody was given for a while; to be asked again and again."""
        others = [stream for stream in self.keys.streams if stream not in self.leases.held]
        return self._stalled.among(backlog.measure(self.redis, self.keys.group, others))

    def _share(self, streams: Sequence[str]) -> int:
        return max(1, self._batch_size_now.entries // max(1, min(len(self.busy), len(streams))))

    def _record_again(self, entries: Sequence[Entry]) -> None:
        """Record entries that were delivered before; those delivered suspiciously often are tried one by one."""
        self._batch_size_now.observe(entries)
        counts = read.delivery_counts(self.redis, self.keys.group, self.name, entries)
        suspects = {entry for entry in entries if counts.get(entry, 0) > self.settings.quarantine_deliveries}
        self._record([entry for entry in entries if entry not in suspects], seen_before=True)
        for entry in entries:
            if entry in suspects:
                if not self.pulse():
                    raise ReadingStopped
                self._try_alone(entry)

    def _try_alone(self, entry: Entry) -> None:
        with trial(self.redis, self.keys.trial(entry.stream, entry.id), self.name) as condemned:
            if condemned:
                self._condemn(entry, "workers died while they processed it alone")
                return
            try:
                self._record([entry], seen_before=True)
            except (RedisError, ProgressError):
                raise
            except SQLAlchemyError as error:
                if not has_answered(error):
                    raise
                log.warning("suspect_left_pending", consumer=self.name, entry=entry.id, detail=first_line(error))
                self.held_back.leave(entry)
            except Exception as error:  # noqa: BLE001 - whatever it raises, it must not hold up its stream for ever
                self._condemn(entry, f"{type(error).__name__}: {error}")

    def _condemn(self, entry: Entry, detail: str) -> None:
        log.error("entry_condemned", consumer=self.name, stream=entry.stream, entry=entry.id, detail=detail)
        store_dead_letter(self.engine, entry, Reason.CRASHES_WORKER, detail, self._commits)
        read.acknowledge(self.redis, self.keys.group, [entry], self.name, self._commits.committed)

    def _record(self, entries: Sequence[Entry], *, seen_before: bool = False) -> None:
        """Record the entries batch by batch; all of them, also when reading must stop: a batch for a stream at most."""
        for batch in split_batches(entries, self.settings.batch_size):
            self.pulse()
            self._record_batch(batch, seen_before=seen_before)

    def _record_batch(
        self, entries: Sequence[Entry], *, batch: Batch | None = None, seen_before: bool = False, is_due: bool = False
    ) -> None:
        """Record and commit, then `_settle`.

        What waits already for an enrollment that is locked is joined by what comes for it, unless it `is_due`.
        """
        started = time.monotonic()
        if not is_due:
            entries, batch = self.held_back.without(entries, batch)
        final = is_due and self.held_back.is_refusal_final()
        how = {"seen_before": seen_before, "final": final, "careful": self.held_back.is_careful()}
        outcome = ingest(self.engine, entries, batch=batch, commits=self._commits, **how)
        self.held_back.note(outcome, entries, final=final, is_due=is_due)
        self.refused = bool(outcome.everything_refused) and not is_due
        self._settle(entries, outcome, started, is_due=is_due)

    def _settle(self, entries: Sequence[Entry], outcome: Outcome, started: float, *, is_due: bool) -> None:
        """Acknowledge what was committed and hold back the rest; then apply what was parked for new enrollments."""
        settled = outcome.settled(entries)
        read.acknowledge(self.redis, self.keys.group, settled, self.name, self._commits.committed)
        add_totals(self.redis, self.keys, outcome.totals)
        self.held_back.settle(entries, outcome)
        if is_due and not settled:
            return
        told = {"consumer": self.name, "entries": len(entries), **outcome.counts}
        level = logging.WARNING if outcome.rejected else logging.INFO
        log.log(level, "batch_recorded", **told, seconds=round(time.monotonic() - started, 4))
        if outcome.enrolled:
            arrived = apply_parked(self.engine, outcome.enrolled, self.pulse)
            add_totals(self.redis, self.keys, arrived.totals)
            if arrived != Outcome():
                log.info("parked_events_applied", consumer=self.name, **arrived.counts)
