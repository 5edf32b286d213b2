"""What is measured of each contender, and how the clock runs for those that take from a queue."""

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import psutil

from benchmarks.events import Log
from benchmarks.place import ROOT, Place
from benchmarks.usage import Usage
from tests.support.wait import wait_until

START_SECONDS = 30
LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Measured:
    """Seconds from the first event to the last row, and what they cost."""

    seconds: float
    usage: Usage
    publishing_seconds: float | None = None
    redis_bytes: int | None = None
    """Memory that the waiting events took."""
    megabytes: float | None = None
    """Resident memory of the largest worker process at the end."""


def count(number: int, one: str, many: str) -> str:
    """The number and the word for it."""
    return f"{number} {one if number == 1 else many}"


def settle(place: Place) -> None:
    """Have everything written so far on the disk, so that nobody pays for what came before its turn."""
    place.redis.waitaof(1, 0, 10_000)
    os.sync()


def redis_memory(place: Place) -> int:
    """Bytes of Redis' data and of what it needs to hold them."""
    return int(place.redis.info("memory")["used_memory"])


def max_memory(pids: Iterable[int]) -> float:
    """Megabytes of the largest of these processes and their children."""
    processes = [psutil.Process(pid) for pid in pids]
    family = [each for process in processes for each in (process, *process.children(recursive=True))]
    return max(float(process.memory_info().rss) for process in family) / 1e6


class Contender(Protocol):
    """One way to get events into the tables."""

    key: str
    title: str
    rate: int
    """About how many events a second it takes: how many it is given first."""

    def measure(self, place: Place, log: Log) -> Measured:
        """Record the log's events, and time those to be timed. The tables are compared by the caller."""


class QueueContender(ABC):
    """Takes from a queue in processes of its own.

    These start, warm up and are idle; they are stopped (SIGSTOP) while the events are published; the clock runs from
    the moment they may go on until nothing waits and nothing is unacknowledged. So neither a start nor publishing is
    measured, and whatever has to get going is.
    """

    key: str
    title: str
    rate: int

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def commands(self) -> Sequence[Sequence[str]]:
        """The processes, as one would start them in a shell."""

    @abstractmethod
    def publish(self, place: Place, lines: Sequence[bytes]) -> None:
        """Put the events into the queue."""

    @abstractmethod
    def waiting(self, place: Place) -> int:
        """How many events are in the queue, or given to a worker and not acknowledged."""

    def is_ready(self, place: Place) -> bool:  # noqa: ARG002 - for those that need to look
        """Every process has come up. Those that hold events back until they are up need not say."""
        return True

    def measure(self, place: Place, log: Log) -> Measured:
        """As the class says."""
        with self.running(place, log.warm_up):
            return self.drain(place, log.timed)

    def drain(self, place: Place, lines: Sequence[bytes]) -> Measured:
        """Once; the processes must be running, and idle."""
        self._signal(signal.SIGSTOP)
        empty = redis_memory(place)
        publishing = time.monotonic()
        self.publish(place, lines)
        published = time.monotonic()
        full = redis_memory(place)
        settle(place)
        before = place.usage(self.pids)
        started = time.monotonic()
        self._signal(signal.SIGCONT)
        wait_until(lambda: self.waiting(place) == 0, LIMIT_SECONDS, f"{self.title}: the last row")
        seconds = time.monotonic() - started
        usage = place.usage(self.pids) - before
        return Measured(seconds, usage, published - publishing, full - empty, max_memory(self.pids))

    @contextlib.contextmanager
    def started(self, place: Place) -> Iterator[None]:
        """The processes while the block runs."""
        try:
            self._start(place)
            wait_until(lambda: self.is_ready(place), START_SECONDS, f"{self.title}: every process")
            yield
        finally:
            self._stop()

    @contextlib.contextmanager
    def running(self, place: Place, warm_up: Sequence[bytes]) -> Iterator[None]:
        """The processes while the block runs; they have recorded the warm-up and are idle."""
        with self.started(place):
            self.publish(place, warm_up)
            wait_until(lambda: self.waiting(place) == 0, START_SECONDS, f"{self.title}: the first rows")
            time.sleep(1)  # whatever polls has come to rest
            yield

    @property
    def pids(self) -> list[int]:
        """The main processes."""
        return [process.pid for process in self._processes]

    def _start(self, place: Place) -> None:
        for number, command in enumerate(self.commands(), 1):
            with (place.directory / f"{self.key}-{number}.log").open("wb") as output:
                process = subprocess.Popen(
                    list(command),
                    cwd=ROOT,
                    env=place.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._processes.append(process)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            os.killpg(process.pid, number)

    def _stop(self) -> None:
        """At once: the database is about to go anyway."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()
