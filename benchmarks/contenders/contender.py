"""What is measured of each contender, and how the clock runs for those that take from a queue."""

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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


def count(number: int, one: str, many: str) -> str:
    """The number and the word for it."""
    return f"{number} {one if number == 1 else many}"


class Contender(Protocol):
    """One way to get events into the tables."""

    key: str
    title: str
    message_each: bool
    """Takes a message for each event: it is measured on fewer."""

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
    message_each = False

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
        try:
            self._start(place)
            wait_until(lambda: self.is_ready(place), START_SECONDS, f"{self.title}: every process")
            self.publish(place, log.warm_up)
            wait_until(lambda: self.waiting(place) == 0, START_SECONDS, f"{self.title}: the first rows")
            time.sleep(1)  # whatever polls has come to rest
            self._signal(signal.SIGSTOP)
            self.publish(place, log.timed)
            before = place.usage(self.pids)
            started = time.monotonic()
            self._signal(signal.SIGCONT)
            wait_until(lambda: self.waiting(place) == 0, LIMIT_SECONDS, f"{self.title}: the last row")
            seconds = time.monotonic() - started
            return Measured(seconds, place.usage(self.pids) - before)
        finally:
            self._stop()

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
