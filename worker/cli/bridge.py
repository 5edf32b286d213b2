"""`progress-worker bridge`: carry events from another system to the streams."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import click

from worker.cli.group import Group

if TYPE_CHECKING:
    from types import FrameType


@click.group("bridge", cls=Group)
def command() -> None:
    """Carry events from another system to the streams."""


@command.command("edx-bus")
@click.option("--connection", "connection_name", metavar="NAME", help="The Open edX that the events are from.")
@click.option(
    "--topic",
    "topics",
    metavar="NAME",
    multiple=True,
    default=("analytics",),
    show_default=True,
    help="A stream of the bus, with the prefix that the LMS gives its topics; may be repeated.",
)
@click.option(
    "--stream-length",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Where the LMS trims them, its EVENT_BUS_REDIS_STREAM_MAX_LEN; half of it waiting is a warning.",
)
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="Set another option of the connection.")
def edx_bus(connection_name: str | None, topics: tuple[str, ...], stream_length: int, changes: tuple[str, ...]) -> None:
    """Publish what Open edX's event bus in Redis has: tracking events and new enrollments.

    Reads the Redis of PROGRESS_EDX_BUS_URL as a consumer group of its own, from the first entry on, until it is
    stopped. What it has not acknowledged then is read again at the next start. Run one for each LMS.
    """
    from worker.bridge.edx_bus import BLOCK_SECONDS, VARIABLE, EdxBusBridge
    from worker.cli.record_options import read_record_options
    from worker.cli.servers import server_settings
    from worker.client import EventPublisher
    from worker.errors import ConfigurationError
    from worker.logs import configure_logging
    from worker.streams.connection import connect

    _, connection = read_record_options("edx", connection_name, None, changes)
    settings = server_settings("REDIS_URL")
    if settings.edx_bus_url is None:
        raise ConfigurationError(f"{VARIABLE} is not set: the URL of the Redis that has the LMS's event bus.")
    configure_logging(settings.log_format, settings.log_level)
    of_bus = settings.model_copy(update={"redis_url": settings.edx_bus_url, "block_seconds": BLOCK_SECONDS})
    stop = Event()
    with EventPublisher(settings=settings) as publisher, connect(of_bus) as bus, _signals_to(stop) as received:
        bridge = EdxBusBridge(bus, of_bus, list(dict.fromkeys(topics)), stream_length, publisher, settings, connection)
        bridge.run(stop)
    click.echo(f"Stopped: {bridge.counts['entries']:,} entries read, {bridge.counts['events']:,} events published.")
    if received[0] == signal.SIGINT:
        raise KeyboardInterrupt


@contextmanager
def _signals_to(stop: Event) -> Iterator[list[int]]:
    received: list[int] = []

    def ask(number: int, _frame: "FrameType | None") -> None:
        received.append(number)
        stop.set()

    handlers = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
