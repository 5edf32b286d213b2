"""`progress-worker drain`."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from types import FrameType

    from worker.cli.progress_bar import Progress
    from worker.consume.drain_until_empty import CommandHost
    from worker.streams.backlog import Backlog


@click.command("drain")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after this time; exit 1."
)
def command(timeout: float | None) -> None:
    """Apply everything waiting in the streams, then exit.

    Does the same work as the Celery workers, also while they run, and needs no broker: it empties a full Redis. Waits
    for entries that another consumer is reading, and takes over those of a dead one after a while.
    """
    from worker.cli.progress_bar import open_progress
    from worker.cli.servers import explained, open_database, server_settings
    from worker.consume.consumer import Consumer
    from worker.consume.drain_until_empty import CommandHost, drain
    from worker.failover.ownership import check_system
    from worker.logs import configure_logging
    from worker.streams import connection as stream_connection
    from worker.streams import read

    settings = server_settings()
    configure_logging(settings.log_format, settings.log_level if "PROGRESS_LOG_LEVEL" in os.environ else "WARNING")
    with open_database(settings) as engine, explained(settings):
        redis = stream_connection.connect(settings)
        consumer = Consumer(settings, redis, engine)
        check_system(engine, redis, consumer.keys)  # or report at once why nothing can be read
        consumer.find_strays()
        read.create_groups(redis, consumer.keys.group, consumer.keys.streams)
        try:
            with open_progress("drained", total=1) as progress:
                host = CommandHost(consumer, _reporter(progress), timeout)
                with _signals_to(host):
                    drain(consumer, host)
        finally:
            consumer.leave()
    if host.signal is not None:
        raise SystemExit(128 + host.signal)
    click.echo("Drained: lag 0, nothing pending.")


def _reporter(progress: "Progress") -> "Callable[[list[Backlog]], None]":
    """Show the backlog as progress since the largest one seen."""
    max_left = 0

    def report(backlogs: "list[Backlog]") -> None:
        nonlocal max_left
        lag, pending = sum(each.lag for each in backlogs), sum(each.pending for each in backlogs)
        max_left = max(max_left, lag + pending)
        progress.update(1 - (lag + pending) / max_left if max_left else 1, f"lag {lag:,}, pending {pending:,}")

    return report


@contextmanager
def _signals_to(host: "CommandHost") -> Iterator[None]:
    def stop(number: int, _frame: "FrameType | None") -> None:
        host.signal = number

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
