"""`progress-worker drain`: the workers' own drain without Celery, until nothing is left."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from worker.errors import ProgressError

if TYPE_CHECKING:
    from types import FrameType

    from worker.cli.progress_bar import Progress
    from worker.consume.consumer import Consumer
    from worker.streams.backlog import Backlog

SLICE_SECONDS = 1.0
PAUSE_SECONDS = 0.1
LOOK_SECONDS = 0.5
"""How often the backlog is measured for the progress bar."""


class Host:
    """The process around the drain: nobody to ring for, stopped by SIGINT, SIGTERM or the end of its time."""

    def __init__(self, consumer: "Consumer", progress: "Progress", timeout_seconds: float | None) -> None:
        self._consumer = consumer
        self._progress = progress
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._look_at = 0.0
        self._most_left = 0
        self.signal: int | None = None

    def wake_up(self) -> None:
        """Nobody is there to hear it; other drains find their work by themselves."""

    def is_stopping(self) -> bool:
        """Stop reading."""
        return self.signal is not None or self.timed_out

    @property
    def timed_out(self) -> bool:
        """The time given is over."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def beat(self) -> None:
        """Show how far it is, now and then."""
        from redis import RedisError

        if time.monotonic() < self._look_at:
            return
        try:
            self.show(_left(self._consumer))
        except RedisError:
            return  # the drain itself waits for Redis and says so
        finally:
            self._look_at = time.monotonic() + LOOK_SECONDS

    def show(self, backlogs: "list[Backlog]") -> None:
        """Show what is left."""
        lag, pending = sum(each.lag for each in backlogs), sum(each.pending for each in backlogs)
        self._most_left = max(self._most_left, lag + pending)
        done = 1 - (lag + pending) / self._most_left if self._most_left else 1
        self._progress.update(done, f"lag {lag:,}, pending {pending:,}")


@click.command("drain")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after so long, exit 1."
)
def command(timeout: float | None) -> None:
    """Apply everything that waits in the streams, then end.

    The same work as the Celery workers do, also beside them, and without a broker: it empties a Redis that is full.
    Entries that another consumer is reading are waited for; those of one that died are taken over after a while.
    """
    from worker.cli.progress_bar import open_progress
    from worker.cli.servers import explained, open_database, server_settings
    from worker.consume.consumer import Consumer
    from worker.failover.ownership import check_system
    from worker.logs import configure_logging
    from worker.streams import connection as stream_connection
    from worker.streams import read

    settings = server_settings()
    configure_logging(settings.log_format, settings.log_level if "PROGRESS_LOG_LEVEL" in os.environ else "WARNING")
    with open_database(settings) as engine, explained(settings):
        redis = stream_connection.connect(settings)
        consumer = Consumer(settings, redis, engine)
        check_system(engine, redis, consumer.keys)  # or say at once why nothing can be read
        consumer.find_strays()
        read.create_groups(redis, consumer.keys.group, consumer.keys.streams)
        try:
            with open_progress("drained", total=1) as progress:
                host = Host(consumer, progress, timeout)
                with _signals_to(host):
                    left = drain(consumer, host)
        finally:
            consumer.leave()
    if left:
        raise DrainError(left)
    if host.signal is not None:
        raise SystemExit(128 + host.signal)
    click.echo("Drained: lag 0, nothing pending.")


class DrainError(ProgressError):
    """Time was up before everything was applied."""

    def __init__(self, left: "list[Backlog]") -> None:
        lag, pending = sum(each.lag for each in left), sum(each.pending for each in left)
        super().__init__(f"Time is up: {lag:,} entries unread and {pending:,} pending are left. Nothing is lost.")


def drain(consumer: "Consumer", host: Host) -> "list[Backlog]":
    """Drain until nothing waits and nothing is pending anywhere, or until the host stops; what was left when timed out.

    At the end it also does the housekeeping that beat would start: parked events, dead consumers, trimming.
    """
    from worker.consume.drain import Drain
    from worker.consume.maintenance import maintain
    from worker.streams.backlog import is_empty

    while not host.is_stopping():
        started = time.monotonic()
        Drain(consumer, host, SLICE_SECONDS).run()
        backlogs = _left(consumer)
        host.show(backlogs)
        if is_empty(backlogs):
            maintain(consumer.settings, consumer.redis, consumer.engine)
            return []
        if time.monotonic() - started < PAUSE_SECONDS:
            time.sleep(PAUSE_SECONDS)  # others read everything
    return _left(consumer) if host.timed_out and host.signal is None else []


def _left(consumer: "Consumer") -> "list[Backlog]":
    from worker.streams.backlog import measure

    return measure(consumer.redis, consumer.keys.group, consumer.keys.streams)


@contextmanager
def _signals_to(host: Host) -> Iterator[None]:
    def stop(number: int, _frame: "FrameType | None") -> None:
        host.signal = number

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
