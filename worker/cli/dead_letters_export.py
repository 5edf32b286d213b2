"""`progress-worker dead-letters export`: dead letters as JSON lines, to be corrected and redriven."""

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

import click

from worker.cli.id_type import ID
from worker.cli.option_values import to_reason, to_time
from worker.contract.entry import Reason
from worker.errors import InputError

if TYPE_CHECKING:
    from worker.progress.exported_dead_letters import CorrectedDeadLetter
    from worker.progress.stored_dead_letters import StoredDeadLetter

SPOOLED_BYTES = 8 * 1024 * 1024
"""So much is held in memory; more is in a file without a name."""


@click.command("export")
@click.option("--reason", callback=to_reason, help="Only those with this reason.")
@click.option("--enrollment", type=ID, help="Only those parked for this enrollment.")
@click.option(
    "--since",
    callback=to_time,
    metavar="TIME",
    help="Only those set aside at this time or later, by PostgreSQL's clock.",
)
@click.option("--until", callback=to_time, metavar="TIME", help="Only those set aside before this time.")
@click.option("--records", is_flag=True, help="With --reason not_translated: only the records, for `publish --format`.")
@click.option("--connection", "connection_name", metavar="NAME", help="With --records: only those of this connection.")
@click.option("--output", "-o", metavar="FILE", help="Write to FILE, completely or not at all.")
def export(
    reason: str | None,
    enrollment: int | None,
    since: datetime | None,
    until: datetime | None,
    records: bool,
    connection_name: str | None,
    output: str | None,
) -> None:
    """Write dead letters as JSON lines, oldest first.

    Each line has the content in `event`, or in `body` or `body_base64` if it is not a JSON object. Correct it there,
    with jq -c or sed, then run `dead-letters redrive --file`. Changes nothing.

    Records that could not be translated are not redriven but published again: see --records.
    """
    from worker.cli.output_file import write_file
    from worker.cli.servers import open_database, server_settings
    from worker.progress.dead_letters_in_bulk import export_all
    from worker.progress.exported_dead_letters import to_line
    from worker.progress.stored_dead_letters import Selection

    if records and reason != Reason.NOT_TRANSLATED:
        raise click.UsageError("--records needs --reason not_translated.")
    if connection_name is not None and not records:
        raise click.UsageError("--connection needs --records.")
    selection = Selection(reason, enrollment, since, until)
    with open_database(server_settings("DATABASE_URL")) as engine:
        found = export_all(engine, selection)
        lines = _records(found, connection_name) if records else (to_line(each) for each in found)
        if records and output is None:
            _write_all_or_none(lines)
        elif output is None:
            sys.stdout.buffer.writelines(lines)
            sys.stdout.flush()
        else:
            write_file(output, lines)


def _write_all_or_none(lines: Iterable[bytes]) -> None:
    """Write to standard output, unless one of the lines raises: it may be a pipe to `publish`."""
    with SpooledTemporaryFile(SPOOLED_BYTES) as spool:
        spool.writelines(lines)
        spool.seek(0)
        copyfileobj(spool, sys.stdout.buffer)
        sys.stdout.flush()


def _records(dead_letters: "Iterable[StoredDeadLetter]", connection_name: str | None) -> Iterator[bytes]:
    """Yield the records, of one connection. Raises InputError if there are two: they cannot be published as one."""
    from worker.progress.exported_dead_letters import to_record

    first = None
    for each in dead_letters:
        source, format_name, record = to_record(each)
        if connection_name not in (None, source):
            continue
        first = first or (source, format_name)
        if source != first[0]:
            raise InputError(f"There are records of {first[0]} and of {source}. Choose with --connection NAME.")
        if format_name != first[1]:
            raise InputError(
                f"Connection {source} has records in the formats {first[1]} and {format_name}. "
                "Choose with --since and --until."
            )
        yield record
    if first is None:
        of = "" if connection_name is None else f" of connection {connection_name}"
        click.echo(f"There are no such records{of}.", err=True)


def corrected(file: str) -> "Iterator[CorrectedDeadLetter]":
    """Read a file of `export`, plain or gzipped; - is standard input. Raises InputError with the line."""
    from worker.cli.json_lines import JsonLines
    from worker.progress.exported_dead_letters import from_line

    lines = JsonLines(file)
    try:
        for line in lines:
            try:
                yield from_line(line.body)
            except ValueError as error:
                raise InputError(
                    f"{lines.name}, line {line.number}: not a line of `dead-letters export` ({error}). "
                    "The lines before it may have been tried; correct it and give the whole file again."
                ) from None
    finally:
        lines.close()
