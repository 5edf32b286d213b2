"""`progress-worker publish`: append the events of a file to the streams, byte for byte, or what its records become."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import click

from worker.errors import InputError, ServerUnavailableError

if TYPE_CHECKING:
    from worker.cli.json_lines import Line
    from worker.cli.progress_bar import Progress
    from worker.client import EventPublisher
    from worker.settings import Settings

CHUNK = 1_000
CHUNK_BYTES = 8 * 1024 * 1024
"""Maximum number of events and approximate number of bytes held and sent at a time."""
FORMAT_NAMES = "xapi, edx, caliper, canvas, csv, kolibri, moodle, frappe"
"""As in `worker.adapters.formats`, which takes long to import."""


class Lines(Protocol):
    """What is published, in order. Iterating raises InputError."""

    name: str
    size: int | None
    """In bytes; None of standard input."""

    def __iter__(self) -> Iterator["Line"]: ...

    def close(self) -> None:
        """Close the file."""


@click.command("publish")
@click.argument("file")
@click.option("--shuffle", is_flag=True, help="Publish in random order; holds the whole file in memory.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random order.")
@click.option("--format", "format_name", help=f"Translate records of this format: {FORMAT_NAMES}. Needs --connection.")
@click.option("--connection", "connection_name", metavar="NAME", help="The LMS that the records are from.")
@click.option("--timezone", metavar="ZONE", help="Zone of times without an offset, such as Europe/Berlin.")
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="Set another option of the connection.")
@click.option("--dry-run", is_flag=True, help="Only show what the records become. Needs no server.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run, print a line of JSON for each outcome.")
def command(
    file: str,
    shuffle: bool,
    seed: int,
    format_name: str | None,
    connection_name: str | None,
    timezone: str | None,
    changes: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Publish the events in FILE, or the records of an LMS as events.

    FILE is plain or gzipped; - is standard input. Without --format it has one JSON object per line. Every line is
    published unchanged. An invalid event is detected when it is read from the stream and becomes a dead letter; an
    object with none of specversion, type and data ends the publishing.

    With --format it has records of an LMS: lines of JSON or of a log, a JSON document, or a table (CSV). What cannot be
    translated stops nothing and becomes a dead letter, not_translated.

    Safe to repeat: nothing counts twice.
    """
    from worker.cli.json_lines import JsonLines
    from worker.cli.servers import server_settings

    if as_json and not dry_run:
        raise click.UsageError("--json needs --dry-run.")
    if shuffle and dry_run:
        raise click.UsageError("Give only one of --shuffle and --dry-run, which publishes nothing.")
    random = Random(seed) if shuffle else None  # noqa: S311
    if format_name is None and connection_name is None:
        if timezone is not None or changes or dry_run:
            raise click.UsageError("--timezone, --set and --dry-run need --format and --connection.")
        settings = server_settings("REDIS_URL")
        _publish_and_count(settings, JsonLines(file, partial(_problem_of, file), f". {_FORMAT_HINT}"), random)
        return

    from worker.cli.record_options import read_record_options
    from worker.cli.translated_records import TranslatedRecords
    from worker.cli.translation_outcomes import dry_run as show_dry_run
    from worker.cli.translation_outcomes import show_counts

    options = read_record_options(format_name, connection_name, timezone, changes)
    if dry_run:
        show_dry_run(TranslatedRecords(file, *options), as_json=as_json)
        return
    settings = server_settings("REDIS_URL")
    records = TranslatedRecords(file, *options)
    try:
        _publish_and_count(settings, records, random)
    except InputError:
        if records.records:
            show_counts(records)
        raise
    show_counts(records)


def _publish_and_count(settings: "Settings", lines: "Lines", random: Random | None) -> None:
    """Publish everything, show the progress and the number of events; close the file."""
    from worker.cli.progress_bar import open_progress
    from worker.client import EventPublisher

    publisher = EventPublisher(settings=settings)
    started = time.monotonic()
    try:
        with open_progress("published", unit="bytes" if lines.size else "events", total=lines.size) as progress:
            published = _publish(settings, publisher, lines, progress, random)
    finally:
        lines.close()
    seconds = time.monotonic() - started
    click.echo(f"Published {published} in {seconds:.1f} s, {published.total / max(seconds, 0.001):,.0f} a second.")


def _publish(
    settings: "Settings", publisher: "EventPublisher", lines: "Lines", progress: "Progress", random: Random | None
) -> "_Published":
    """Publish everything up to the first line that is no event. Errors state the count so far."""
    from worker.cli.servers import explained

    readable = _Readable(lines)
    source: Iterable[Line] = readable
    if random is not None:
        everything = list(readable)
        random.shuffle(everything)
        source = everything
    published, position = _Published(), 0
    try:
        with explained(settings):
            for chunk in _chunks(source):
                published.total += publisher.publish_raw((line.key, line.body) for line in chunk)
                published.rejected += sum(line.is_rejected for line in chunk)
                position = max(position, *(line.position for line in chunk))
                progress.update(position if lines.size else published.total, str(published))
    except ServerUnavailableError as error:
        done = f"At least {published} were published. " if published.total else ""
        raise ServerUnavailableError(f"{error} {done}{_AGAIN}") from None
    if readable.error:
        before = f"The {published} before it {'was' if published.total == 1 else 'were'} published."
        done = before if published.total else "Nothing was published."
        raise InputError(f"{readable.error}. {done} {_AGAIN}")
    return published


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


@dataclass
class _Published:
    """How many messages, and how many of them are records that could not be translated."""

    total: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        from worker.formatting import counted

        events = counted(self.total - self.rejected, "event")
        return f"{events} and {counted(self.rejected, 'rejected record')}" if self.rejected else events


class _Readable:
    """The lines before the first one that is not an event's JSON; `error` is then set for that line."""

    def __init__(self, lines: "Lines") -> None:
        self._lines = lines
        self.error: InputError | None = None

    def __iter__(self) -> Iterator["Line"]:
        try:
            yield from self._lines
        except InputError as error:
            self.error = error


def _problem_of(file: str, event: dict[str, Any]) -> str | None:
    """Return why an object is not published; one that is meant to be an event is, for the consumer to judge."""
    if not event or event.keys() & {"specversion", "type", "data"}:
        return None
    if "dead_letter_id" in event:
        return f"a line of `dead-letters export`. Run `progress-worker dead-letters redrive --file {file}`"
    return f"no event: it has no specversion, type or data. {_FORMAT_HINT}"


_FORMAT_HINT = (
    f"For a table, add --format csv and --connection NAME; for other records of an LMS, another of {FORMAT_NAMES}"
)
