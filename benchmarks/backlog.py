"""What becomes of a worker's memory and speed while it drains a long backlog.

The events are made and published piece by piece, before the worker starts: so does one meet them after an outage, and
so no task is stopped for longer than its time limit. Memory is that of the largest process, looked at every second,
more often in a short run. The ledger's rows are counted at the end; plain Python would need too long for the rules.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.contenders.contender import START_SECONDS, max_memory, settle
from benchmarks.contenders.this_worker import ThisWorker
from benchmarks.events import make_lines
from benchmarks.place import Place
from tests.support.tables import rows
from tests.support.wait import wait_until

PIECE = 10_000
LONG = 1_000_000
"""A backlog of so many events is looked at every second, a shorter one more often."""
STILL_SECONDS = 60

_RECORDED = "SELECT (SELECT count(*) FROM lesson_event), (SELECT count(*) FROM dead_letter)"


@dataclass(frozen=True)
class Sample:
    """So many events were recorded at that moment, and the largest process had so much memory."""

    moment: float
    events: int
    megabytes: float


@dataclass(frozen=True)
class Backlog:
    """A drain's events, and samples from its first batch to its last."""

    events: int
    samples: Sequence[Sample]

    @property
    def tenths(self) -> list[Sample]:
        """The first sample, and the first after each tenth of the events."""
        marks = [self.events * tenth // 10 for tenth in range(1, 11)]
        return [self.samples[0], *(next(each for each in self.samples if each.events >= mark) for mark in marks)]

    @property
    def rates(self) -> list[float]:
        """Events a second of each tenth."""
        return [
            (end.events - start.events) / max(end.moment - start.moment, 1e-9) for start, end in pairwise(self.tenths)
        ]

    @property
    def rate(self) -> float:
        """Events a second from the first sample to the last."""
        first, last = self.samples[0], self.samples[-1]
        return (last.events - first.events) / (last.moment - first.moment)

    @property
    def megabytes(self) -> list[float]:
        """After each tenth."""
        return [each.megabytes for each in self.tenths[1:]]

    @property
    def max_megabytes(self) -> float:
        """Of all samples."""
        return max(each.megabytes for each in self.samples)


def measure_backlog(place: Place, keys: Sequence[int], events: int) -> Backlog:
    """So many events, of these enrollments in turn."""
    worker = ThisWorker(2)
    for first in range(0, events, PIECE):
        piece = [keys[number % len(keys)] for number in range(first, min(first + PIECE, events))]
        worker.publish(place, list(make_lines(piece, first)))
    settle(place)
    with worker.started(place):
        wait_until(lambda: worker.waiting(place) < events, START_SECONDS, "the first batch")
        samples = [_sample(place, worker, events)]
        progress_at = time.monotonic()
        while samples[-1].events < events:
            time.sleep(min(1.0, events / LONG))
            samples.append(_sample(place, worker, events))
            if samples[-1].events > samples[-2].events:
                progress_at = samples[-1].moment
            assert time.monotonic() < progress_at + STILL_SECONDS, "the worker stands still"
    assert rows(place.engine, _RECORDED) == [(events, 0)], "the rows differ"
    return Backlog(events, samples)


def _sample(place: Place, worker: ThisWorker, events: int) -> Sample:
    return Sample(time.monotonic(), events - worker.waiting(place), max_memory(worker.pids))
