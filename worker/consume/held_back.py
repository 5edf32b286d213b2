"""What one consumer holds back: entries that were read and cannot be recorded yet, though both servers are there.

Somebody keeps their enrollment locked, or PostgreSQL refuses everything. They stay pending in Redis; `Deferral` says
when to try which again, this module what that means for Redis and for the verdict on them.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta

from worker.consume.deferral import Deferral
from worker.contract.entry import Entry
from worker.contract.fast_path import Batch, Target, parse_batch
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
"""So many batches are held here; further entries are read again when it is their turn: memory."""
RETURN_SECONDS = 3.0
"""How long those wait for their turn."""
AWAIT_EVERY_SECONDS = (0.5, 2.0)
"""How often one that is busy is waited for: at first, and once some lock has been awaited for long."""
CAREFUL_SECONDS = 10.0
"""How long after the last lock of a kind that SKIP LOCKED does not show such locks are looked for."""
LONE = timedelta(seconds=5)
"""An entry that a trigger refuses, and no other with it or after it, is set aside after so long."""
LONG_SECONDS = 5.0
"""A lock that another session has held so long is told."""


class HeldBack:
    """Of one consumer, for as long as one of its drains; `give_back` leaves all to whoever reads their streams next."""

    def __init__(self, settings: Settings, redis: Redis, engine: Engine, keys: Keys, consumer: str) -> None:
        self._settings = settings
        self._redis = redis
        self._engine = engine
        self._keys = keys
        self._consumer = consumer
        self._deferral = Deferral(BATCHES * settings.batch_size)
        self._keep_at = self._await_at = self._careful_until = 0.0
        self._tell_at = time.monotonic() + LONG_SECONDS

    def without(self, entries: Sequence[Entry], batch: Batch | None) -> tuple[Sequence[Entry], Batch | None]:
        """The entries, and parsed, but for those whose enrollment others wait for already: they join them."""
        if not self._deferral:
            return entries, batch
        held = {
            entry: target for entry, target in (batch or parse_batch(entries)).targets() if target in self._deferral
        }
        if not held:
            return entries, batch
        self._defer(held.items())
        rest = [entry for entry in entries if entry not in held]
        return rest, parse_batch(rest)

    def settle(self, entries: Sequence[Entry], outcome: Outcome) -> None:
        """Remember what became of these: the deferred ones are tried again, the others are done."""
        self._deferral.settle(entries, outcome.deferred)
        self._defer(outcome.deferred)

    def due(self) -> list[Entry]:
        """What is to be tried now. Keeps the rest from being taken over by others, and tells of long waits."""
        if self._deferral and time.monotonic() >= self._keep_at:
            read.keep(self._redis, self._keys.group, self._consumer, self._deferral)
            self._keep_at = time.monotonic() + self._settings.reclaim_idle_seconds / 3
        if self._deferral and time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + LONG_SECONDS
            self._tell()
        return self._deferral.due(self._settings.batch_size)

    def busy(self) -> tuple[int, list[Entry]] | None:
        """Now and then, an enrollment to be waited for for a moment, and its entries."""
        if not self._deferral or time.monotonic() < self._await_at:
            return None
        if (found := self._deferral.busy()) is not None:
            is_long = self._deferral.longest()[1] >= LONG_SECONDS
            self._await_at = time.monotonic() + AWAIT_EVERY_SECONDS[is_long]
        return found

    def block_seconds(self) -> float:
        """How long an idle read may wait: until something is due."""
        due, longest = self._deferral.seconds_to_due(), self._settings.block_seconds
        return longest if due is None else min(longest, max(0.001, due))

    def forget(self) -> None:
        """Everything pending is about to be read again."""
        self._deferral.take_all()

    def give_back(self) -> None:
        """Leave everything to whoever reads its stream next. Raises RedisError; then it comes again after a while."""
        self._give_back(self._deferral.take_all(), 0)

    def leave(self, entry: Entry) -> None:
        """Leave this one, under suspicion as it is, to whoever reads its stream, after a moment."""
        idle_seconds = self._settings.reclaim_idle_seconds - RETURN_SECONDS
        read.give_back(self._redis, self._keys.group, self._consumer, [entry], idle_seconds)

    def is_refusal_final(self) -> bool:
        """Whether what was refused with everything else is to blame: others were accepted since, or it is alone."""
        count, began = self._deferral.count_of(REFUSED), refusal_mark.since(self._redis, self._keys.refused)
        if not count or began is None:
            return False
        with self._engine.connect() as connection:
            newest, now = last_recorded_at(connection), clock(connection)
        return (newest is not None and newest > began) or (count == 1 and now - began > LONE)

    def is_careful(self) -> bool:
        """Locks that only waiting shows were met a moment ago."""
        return time.monotonic() < self._careful_until

    def note(self, outcome: Outcome, entries: Sequence[Entry], *, final: bool, is_due: bool) -> None:
        """Learn from what became of these entries, before they are settled.

        Where PostgreSQL refused everything, say it and mark it; where that was judged, or it accepts again, take the
        mark away: what was accepted before does not speak against what is refused later.
        """
        if outcome.met_locks:
            self._careful_until = time.monotonic() + CAREFUL_SECONDS
        if outcome.everything_refused:
            log.error(
                "everything_refused",
                consumer=self._consumer,
                detail=outcome.everything_refused,
                entries=len(entries),
            )
            with self._engine.connect() as connection:
                refusal_mark.begin(self._redis, self._keys.refused, clock(connection))
        elif final or (is_due and outcome.recorded and self._deferral.count_of(REFUSED)):
            refusal_mark.end(self._redis, self._keys.refused)

    def _defer(self, deferred: Iterable[tuple[Entry, Target]]) -> None:
        if left := self._deferral.add(deferred):
            self._give_back(left, RETURN_SECONDS)

    def _give_back(self, entries: Sequence[Entry], wait_seconds: float) -> None:
        """Have the entries taken over, by anyone, after so long.

        They count as delivered once: a consumer that lives to give an entry back is proof that it does not kill.
        """
        idle_seconds = self._settings.reclaim_idle_seconds - wait_seconds
        read.give_back(self._redis, self._keys.group, self._consumer, entries, idle_seconds, deliveries=1)

    def _tell(self) -> None:
        (kind, key), seconds = self._deferral.longest()
        if seconds >= LONG_SECONDS and kind != REFUSED[0]:
            log.warning(
                "lock_awaited",
                consumer=self._consumer,
                entries=len(self._deferral),
                longest=f"{kind} {key}",
                seconds=round(seconds, 1),
            )
