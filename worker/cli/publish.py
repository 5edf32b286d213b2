"""`progress-worker publish`: append the events of a file to the streams, byte for byte."""

import time
from collections.abc import Iterable, Iterator
from random import Random
from typing import TYPE_CHECKING

import click

from worker.errors import InputError, ServerUnavailableError

if TYPE_CHECKING:
    from worker.cli.json_lines import JsonLines, Line
    from worker.cli.progress_bar import Progress
    from worker.client import EventPublisher
    from worker.settings import Settings

CHUNK = 1_000
CHUNK_BYTES = 8 * 1024 * 1024
"""Maximum number of events and approximate number of bytes held and sent at a time."""


@click.command("publish")
@click.argument("file")
@click.option("--shuffle", is_flag=True, help="Publish in random order; holds the whole file in memory.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random order.")
def command(file: str, shuffle: bool, seed: int) -> None:
    """Publish the events in FILE.

    FILE has one JSON object per line, plain or gzipped; - is standard input. Every line is published unchanged. An
    invalid event is detected when it is read from the stream and becomes a dead letter. Safe to repeat: nothing counts
    twice.
    """
    from worker.cli.json_lines import JsonLines
    from worker.cli.progress_bar import open_progress
    from worker.cli.servers import server_settings
    from worker.client import EventPublisher

    settings = server_settings("REDIS_URL")
    lines = JsonLines(file)
    publisher = EventPublisher(settings=settings)
    started = time.monotonic()
    try:
        with open_progress("published", unit="bytes" if lines.size else "events", total=lines.size) as progress:
            count = _publish(settings, publisher, lines, progress, Random(seed) if shuffle else None)  # noqa: S311
    finally:
        lines.close()
    seconds = time.monotonic() - started
    click.echo(f"Published {count:,} events in {seconds:.1f} s, {count / max(seconds, 0.001):,.0f} a second.")


def _publish(
    settings: "Settings", publisher: "EventPublisher", lines: "JsonLines", progress: "Progress", random: Random | None
) -> int:
    """Publish everything up to the first line that is not JSON; return the count. Errors state the count so far."""
    from worker.cli.servers import explained

    readable = _Readable(lines)
    source: Iterable[Line] = readable
    if random is not None:
        everything = list(readable)
        random.shuffle(everything)
        source = everything
    count = position = 0
    try:
        with explained(settings):
            for chunk in _chunks(source):
                count += publisher.publish_raw((line.key, line.body) for line in chunk)
                position = max(position, *(line.position for line in chunk))
                progress.update(position if lines.size else count, f"{count:,} events")
    except ServerUnavailableError as error:
        done = f"At least {count:,} events were published. " if count else ""
        raise ServerUnavailableError(f"{error} {done}{_AGAIN}") from None
    if readable.error:
        done = f"The {count:,} events before it were published." if count else "Nothing was published."
        raise InputError(f"{readable.error}. {done} {_AGAIN}")
    return count


def _chunks(lines: Iterable["Line"]) -> "Iterator[list[Line]]":
    chunk: list[Line] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line.body)
        if len(chunk) == CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


_AGAIN = "Publish the whole file again once that is fixed: nothing counts twice."


class _Readable:
    """The lines before the first one that is not an event's JSON; `error` is then set for that line."""

    def __init__(self, lines: "JsonLines") -> None:
        self._lines = lines
        self.error: InputError | None = None

    def __iter__(self) -> Iterator["Line"]:
        try:
            for line in self._lines:
                _refuse_exported(line, self._lines.name)
                yield line
        except InputError as error:
            self.error = error


def _refuse_exported(line: "Line", name: str) -> None:
    from worker.progress.exported_dead_letters import PREFIX

    if line.body.startswith(PREFIX):
        raise InputError(
            f"{name}, line {line.number}: a line of `dead-letters export`. "
            f"Run `progress-worker dead-letters redrive --file {name}`"
        )
