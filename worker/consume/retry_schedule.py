"""Entries deferred because another session holds the enrollment or course that they change: when to try which again.

They stay pending in Redis, so a crash loses nothing.
"""

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from worker.contract.batch import Target
from worker.contract.entry import Entry
from worker.progress.outcome import REFUSED
from worker.streams.batch_size import BATCH_BYTES, size_of

FIRST_SECONDS = 0.02
"""The first wait: locks of our own batches are frequent and brief."""
BUSY_SECONDS = 0.1
"""A target with a wait this long was locked three times, perhaps by several sessions in turn."""
LAST_SECONDS = 2.0
"""The longest wait. A transaction of an LMS may last for minutes; entries are applied at most this long after it."""


@dataclass(slots=True)
class _Wait:
    since: float
    until: float
    seconds: float = FIRST_SECONDS
    entries: dict[Entry, None] = field(default_factory=dict)


class RetrySchedule:
    """Deferred entries by target; at most `max_entries` and BATCH_BYTES."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._waits: dict[Target, _Wait] = {}
        self._count = self._bytes = 0

    def __bool__(self) -> bool:
        """Return whether any entry waits."""
        return bool(self._waits)

    def __contains__(self, target: Target) -> bool:
        """Return whether any entry waits for the target."""
        return target in self._waits

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        """Yield every entry."""
        return (entry for wait in self._waits.values() for entry in wait.entries)

    def add(self, deferred: Iterable[tuple[Entry, Target]]) -> list[Entry]:
        """Keep these to be tried later; return those for which there is no room."""
        left = []
        for entry, target in deferred:
            wait = self._waits.get(target)
            if wait is None:
                now = time.monotonic()
                wait = self._waits[target] = _Wait(now, now + FIRST_SECONDS)
            if entry in wait.entries:
                continue
            if not self._has_room(wait, entry):
                left.append(entry)
                continue
            wait.entries[entry] = None
            self._count += 1
            self._bytes += size_of(entry)
        return left

    def due(self, max_entries: int) -> list[Entry]:
        """Return about `max_entries` entries that are due, and double the wait of their targets."""
        now, entries = time.monotonic(), list[Entry]()
        for target, wait in self._waits.items():
            if wait.until <= now and len(entries) < max_entries:
                wait.seconds = min(2 * wait.seconds, LAST_SECONDS)
                wait.until = now + wait.seconds
                its = list(wait.entries)
                if target == REFUSED:
                    random.shuffle(its)  # a try ends after a few refusals, so that others get their turn
                entries += its
        return entries

    def _has_room(self, wait: _Wait, entry: Entry) -> bool:
        """Return whether there is room; one target gets at most half of it."""
        is_greedy = 2 * len(wait.entries) >= self._max_entries
        return not is_greedy and self._count < self._max_entries and self._bytes + size_of(entry) <= BATCH_BYTES

    def busy(self) -> tuple[int, list[Entry]] | None:
        """Return an enrollment that was locked at every try so far, with its entries; None without one."""
        busy = [each for each, wait in self._waits.items() if each[0] == "enrollment" and wait.seconds >= BUSY_SECONDS]
        if not busy:
            return None
        target = random.choice(busy)  # noqa: S311 - so that each gets its turn
        return target[1], list(self._waits[target].entries)

    def seconds_to_due(self) -> float | None:
        """Return the seconds until an entry is due; None when none waits."""
        if not self._waits:
            return None
        return max(0.0, min(wait.until for wait in self._waits.values()) - time.monotonic())

    def count_of(self, target: Target) -> int:
        """Return the number of entries that wait for the target."""
        return len(self._waits[target].entries) if target in self._waits else 0

    def longest(self) -> tuple[Target, float]:
        """Return the target of the longest wait, and its seconds. An entry must wait."""
        target = min(self._waits, key=lambda each: self._waits[each].since)
        return target, time.monotonic() - self._waits[target].since

    def settle(self, tried: Iterable[Entry], deferred: Iterable[tuple[Entry, Target]]) -> None:
        """Forget the entries tried, except those deferred again."""
        if not self._waits:
            return
        again = {entry for entry, _ in deferred}
        gone = {entry for entry in tried if entry not in again}
        for target, wait in list(self._waits.items()):
            for entry in wait.entries.keys() & gone:
                del wait.entries[entry]
                self._count -= 1
                self._bytes -= size_of(entry)
            if not wait.entries:
                del self._waits[target]

    def take_all(self) -> list[Entry]:
        """Remove and return every entry."""
        entries = list(self)
        self._waits.clear()
        self._count = self._bytes = 0
        return entries
