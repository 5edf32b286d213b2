"""Drain the streams without Celery until nothing is left."""

import math
import time
from collections.abc import Callable

from redis import RedisError

from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.consume.maintenance import maintain
from worker.errors import ProgressError
from worker.streams.backlog import Backlog, is_empty, measure

SLICE_SECONDS = 1.0
PAUSE_SECONDS = 0.1
REPORT_SECONDS = 0.5
"""How often the backlog is measured and reported."""


class CommandHost:
    """The process around the drain: stops at a signal or at the deadline, and reports the backlog."""

    def __init__(
        self, consumer: Consumer, report: Callable[[list[Backlog]], None], timeout_seconds: float | None
    ) -> None:
        self._consumer = consumer
        self._report = report
        self._ends_at = time.monotonic() + (math.inf if timeout_seconds is None else timeout_seconds)
        self._report_at = 0.0
        self.signal: int | None = None

    def wake_up(self) -> None:
        """Do nothing: other drains find their work by themselves."""

    def is_stopping(self) -> bool:
        """Return whether a signal has come or the time is up."""
        return self.signal is not None or time.monotonic() >= self._ends_at

    def beat(self) -> None:
        """Report the backlog if it is time."""
        if time.monotonic() < self._report_at:
            return
        try:
            self.backlogs()
        except RedisError:
            return  # the drain itself waits for Redis and logs it
        finally:
            self._report_at = time.monotonic() + REPORT_SECONDS

    def backlogs(self) -> list[Backlog]:
        """Measure, report and return the backlog of every stream."""
        consumer = self._consumer
        found = measure(consumer.redis, consumer.keys.group, consumer.keys.streams)
        self._report(found)
        return found


class DrainError(ProgressError):
    """The time was up before everything was applied."""

    def __init__(self, left: list[Backlog]) -> None:
        lag, pending = sum(each.lag for each in left), sum(each.pending for each in left)
        super().__init__(f"Time is up: {lag:,} entries unread and {pending:,} pending are left. Nothing is lost.")


def drain(consumer: Consumer, host: CommandHost) -> None:
    """Drain until no stream has unread or pending entries, or until a signal; raise DrainError at the deadline.

    Finally do the housekeeping that beat would start: parked events, dead consumers, trimming.
    """
    while not host.is_stopping():
        started = time.monotonic()
        Drain(consumer, host, SLICE_SECONDS).run()
        if is_empty(host.backlogs()):
            maintain(consumer.settings, consumer.redis, consumer.engine)
            return
        if time.monotonic() - started < PAUSE_SECONDS:
            time.sleep(PAUSE_SECONDS)  # others read everything
    if host.signal is None:
        raise DrainError(host.backlogs())
