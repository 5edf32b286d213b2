"""Entries that wait for an enrollment or a course that another session keeps locked: each is tried again on its own.

They stay pending in Redis, so a crash loses nothing; here is only when to try which of them next.
"""

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from worker.contract.entry import Entry
from worker.contract.fast_path import Target
from worker.progress.outcome import REFUSED
from worker.streams.batch_size import BATCH_BYTES

FIRST_SECONDS = 0.02
"""Our own batches meet often and briefly."""
BUSY_SECONDS = 0.1
"""With a back-off as long as this it was locked three times: perhaps not for long, but by one after the other."""
LAST_SECONDS = 2.0
"""An LMS's transaction may last for minutes; what waits for it is applied within this time of its end."""


@dataclass(slots=True)
class _Wait:
    since: float
    until: float
    seconds: float = FIRST_SECONDS
    entries: dict[Entry, None] = field(default_factory=dict)


class Deferral:
    """What is deferred, by the enrollment or course that it waits for; at most so many entries, and BATCH_BYTES."""

    def __init__(self, max_entries: int) -> None:
        self._most_entries = max_entries
        self._waits: dict[Target, _Wait] = {}
        self._count = self._bytes = 0

    def __bool__(self) -> bool:
        """Something waits."""
        return bool(self._waits)

    def __contains__(self, held: Target) -> bool:
        """Something waits for it."""
        return held in self._waits

    def __len__(self) -> int:
        """How many entries wait."""
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        """Every entry that waits."""
        return (entry for wait in self._waits.values() for entry in wait.entries)

    def add(self, deferred: Iterable[tuple[Entry, Target]]) -> list[Entry]:
        """Have these tried later; those for which there is no room."""
        left = []
        for entry, held in deferred:
            wait = self._waits.get(held)
            if wait is None:
                now = time.monotonic()
                wait = self._waits[held] = _Wait(now, now + FIRST_SECONDS)
            if entry in wait.entries:
                continue
            if not self._has_room(wait, entry):
                left.append(entry)
                continue
            wait.entries[entry] = None
            self._count += 1
            self._bytes += _size(entry)
        return left

    def due(self, max_entries: int) -> list[Entry]:
        """Entries to be tried now, about so many; what they wait for is next due after twice as long."""
        now, entries = time.monotonic(), list[Entry]()
        for held, wait in self._waits.items():
            if wait.until <= now and len(entries) < max_entries:
                wait.seconds = min(2 * wait.seconds, LAST_SECONDS)
                wait.until = now + wait.seconds
                its = list(wait.entries)
                if held == REFUSED:
                    random.shuffle(its)  # a try ends with the first few that are refused: others get their turn
                entries += its
        return entries

    def _has_room(self, wait: _Wait, entry: Entry) -> bool:
        """One that has half of all room leaves the rest to others."""
        is_greedy = 2 * len(wait.entries) >= self._most_entries
        return not is_greedy and self._count < self._most_entries and self._bytes + _size(entry) <= BATCH_BYTES

    def busy(self) -> tuple[int, list[Entry]] | None:
        """One of the enrollments that were found locked again and again, and its entries."""
        busy = [each for each, wait in self._waits.items() if each[0] == "enrollment" and wait.seconds >= BUSY_SECONDS]
        if not busy:
            return None
        held = random.choice(busy)  # noqa: S311 - so that each has its turn
        return held[1], list(self._waits[held].entries)

    def seconds_to_due(self) -> float | None:
        """How long until something is due; None when nothing waits."""
        if not self._waits:
            return None
        return max(0.0, min(wait.until for wait in self._waits.values()) - time.monotonic())

    def count_of(self, held: Target) -> int:
        """How many entries wait for it."""
        return len(self._waits[held].entries) if held in self._waits else 0

    def longest(self) -> tuple[Target, float]:
        """What has been waited for longest, and how many seconds. Something must wait."""
        held = min(self._waits, key=lambda each: self._waits[each].since)
        return held, time.monotonic() - self._waits[held].since

    def settle(self, tried: Iterable[Entry], deferred: Iterable[tuple[Entry, Target]]) -> None:
        """Forget those tried, but for those deferred again."""
        if not self._waits:
            return
        again = {entry for entry, _ in deferred}
        gone = {entry for entry in tried if entry not in again}
        for held, wait in list(self._waits.items()):
            for entry in wait.entries.keys() & gone:
                del wait.entries[entry]
                self._count -= 1
                self._bytes -= _size(entry)
            if not wait.entries:
                del self._waits[held]

    def take_all(self) -> list[Entry]:
        """Every entry; nothing waits here any more."""
        entries = list(self)
        self._waits.clear()
        self._count = self._bytes = 0
        return entries


def _size(entry: Entry) -> int:
    return len(entry.body or b"")
