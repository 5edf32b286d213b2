"""Entries that one consumer has read and cannot record yet, although both servers are up.

Their enrollment or course is locked, or PostgreSQL refuses everything. They stay pending in Redis; `RetrySchedule` says
when to try which again; this module keeps them from being reclaimed, and decides when a refusal is final.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta

from worker.consume.retry_schedule import RetrySchedule
from worker.contract.batch import Batch, Target, parse_batch
from worker.contract.entry import Entry
from worker.database.engine import Engine
from worker.database.server import clock
from worker.logs import get_logger
from worker.progress.ledger_lookups import last_recorded_at
from worker.progress.outcome import REFUSED, Outcome
from worker.settings import Settings
from worker.streams import read, refusal_mark
from worker.streams.connection import Redis
from worker.streams.keys import Keys

log = get_logger(__name__)

BATCHES = 4
"""Maximum size in batches, to bound memory; further entries are given back and read again later."""
RETURN_SECONDS = 3.0
"""How soon entries for which there is no room are read again."""
AWAIT_EVERY_SECONDS = (0.5, 2.0)
"""How often to wait for a busy enrollment: at first, and once a wait has lasted LONG_SECONDS."""
REMEMBER_LOCKS_SECONDS = 10.0
"""How long to look for locks that SKIP LOCKED does not reveal after the last one was met."""
LONE = timedelta(seconds=5)
"""An entry that is refused alone, with no other to compare it with, becomes a dead letter after this time."""
LONG_SECONDS = 5.0
"""A wait is logged after this time, and then at this interval."""


class HeldBack:
    """The entries held back by one consumer during one of its drains; `give_back` ends it."""

    def __init__(self, settings: Settings, redis: Redis, engine: Engine, keys: Keys, consumer: str) -> None:
        self._settings = settings
        self._redis = redis
        self._engine = engine
        self._keys = keys
        self._consumer = consumer
        self._retries = RetrySchedule(BATCHES * settings.batch_size)
        self._keep_at = self._await_at = self._careful_until = 0.0
        self._log_at = time.monotonic() + LONG_SECONDS

    def without(self, entries: Sequence[Entry], batch: Batch | None) -> tuple[Sequence[Entry], Batch | None]:
        """Hold back entries whose target others wait for already; return the rest, and the rest parsed."""
        if not self._retries:
            return entries, batch
        joining = {
            entry: target for entry, target in (batch or parse_batch(entries)).targets() if target in self._retries
        }
        if not joining:
            return entries, batch
        self._defer(joining.items())
        rest = [entry for entry in entries if entry not in joining]
        return rest, parse_batch(rest)

    def settle(self, entries: Sequence[Entry], outcome: Outcome) -> None:
        """Hold back the deferred entries and forget the others."""
        self._retries.settle(entries, outcome.deferred)
        self._defer(outcome.deferred)

    def due(self) -> list[Entry]:
        """Return the entries to try now. Keeps all from being reclaimed by other consumers, and logs long waits."""
        if self._retries and time.monotonic() >= self._keep_at:
            read.keep(self._redis, self._keys.group, self._consumer, self._retries)
            self._keep_at = time.monotonic() + self._settings.reclaim_idle_seconds / 3
        if self._retries and time.monotonic() >= self._log_at:
            self._log_at = time.monotonic() + LONG_SECONDS
            self._log_longest()
        return self._retries.due(self._settings.batch_size)

    def busy(self) -> tuple[int, list[Entry]] | None:
        """Return at times a busy enrollment to wait for briefly, with its entries; see AWAIT_EVERY_SECONDS."""
        if not self._retries or time.monotonic() < self._await_at:
            return None
        if (found := self._retries.busy()) is not None:
            is_long = self._retries.longest()[1] >= LONG_SECONDS
            self._await_at = time.monotonic() + AWAIT_EVERY_SECONDS[is_long]
        return found

    def block_seconds(self) -> float:
        """Return how long an idle read may block: until an entry is due."""
        due, longest = self._retries.seconds_to_due(), self._settings.block_seconds
        return longest if due is None else min(longest, max(0.001, due))

    def forget(self) -> None:
        """Forget all entries: everything pending is about to be read again."""
        self._retries.take_all()

    def give_back(self) -> None:
        """Leave all entries to any consumer, at once. Raises RedisError; they are then reclaimed later."""
        self._give_back(self._retries.take_all(), 0)

    def leave(self, entry: Entry) -> None:
        """Leave a quarantined entry to any consumer after RETURN_SECONDS; its deliveries are kept."""
        idle_seconds = self._settings.reclaim_idle_seconds - RETURN_SECONDS
        read.give_back(self._redis, self._keys.group, self._consumer, [entry], idle_seconds)

    def is_refusal_final(self) -> bool:
        """Return whether the refused entries are to blame: others were accepted since, or only one was refused."""
        count, began = self._retries.count_of(REFUSED), refusal_mark.since(self._redis, self._keys.refused)
        if not count or began is None:
            return False
        with self._engine.connect() as connection:
            newest, now = last_recorded_at(connection), clock(connection)
        return (newest is not None and newest > began) or (count == 1 and now - began > LONE)

    def is_careful(self) -> bool:
        """Return whether locks that SKIP LOCKED does not reveal were met recently."""
        return time.monotonic() < self._careful_until

    def note(self, outcome: Outcome, entries: Sequence[Entry], *, final: bool, is_due: bool) -> None:
        """Learn from the outcome of these entries, before they are settled.

        Set the refusal mark when PostgreSQL refused everything. Remove it when the refusals were judged or PostgreSQL
        accepts again, so that entries accepted earlier do not count against later refusals.
        """
        if outcome.met_locks:
            self._careful_until = time.monotonic() + REMEMBER_LOCKS_SECONDS
        if outcome.everything_refused:
            log.error(
                "everything_refused",
                consumer=self._consumer,
                detail=outcome.everything_refused,
                entries=len(entries),
            )
            with self._engine.connect() as connection:
                refusal_mark.begin(self._redis, self._keys.refused, clock(connection))
        elif final or (is_due and outcome.recorded and self._retries.count_of(REFUSED)):
            refusal_mark.end(self._redis, self._keys.refused)

    def _defer(self, deferred: Iterable[tuple[Entry, Target]]) -> None:
        if left := self._retries.add(deferred):
            self._give_back(left, RETURN_SECONDS)

    def _give_back(self, entries: Sequence[Entry], wait_seconds: float) -> None:
        """Leave the entries to any consumer after `wait_seconds`.

        Resets their deliveries to one: a consumer that survived to give them back proves that they are not poison.
        """
        idle_seconds = self._settings.reclaim_idle_seconds - wait_seconds
        read.give_back(self._redis, self._keys.group, self._consumer, entries, idle_seconds, deliveries=1)

    def _log_longest(self) -> None:
        (kind, key), seconds = self._retries.longest()
        if seconds >= LONG_SECONDS and kind != REFUSED[0]:
            log.warning(
                "lock_awaited",
                consumer=self._consumer,
                entries=len(self._retries),
                longest=f"{kind} {key}",
                seconds=round(seconds, 1),
            )
