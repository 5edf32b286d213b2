"""`progress-worker map load`: give names the numbers of a CSV file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from worker.errors import ConflictError, InputError

if TYPE_CHECKING:
    from worker.cli.progress_bar import Progress
    from worker.identity.map_load import Conflict, Loaded

SHOWN_CONFLICTS = 20


@click.command("load")
@click.argument("file")
@click.option("--replace", is_flag=True, help="Give names that have another number the one in FILE.")
def load(file: str, replace: bool) -> None:
    """Give the names in FILE their numbers: an LMS's own, or those of other names, which makes them aliases.

    FILE, or - for standard input, is UTF-8 CSV with commas, semicolons or tabs. Its first line names the columns, in
    any order: kind,source,key,id and, if there are topics or lessons, course_id,topic_id. A kind is user, course, topic
    or lesson; a topic needs its course_id, a lesson both. Nothing is stored unless all of it is valid and no name has
    another number. Safe to repeat.
    """
    from worker.cli.progress_bar import open_progress
    from worker.cli.servers import open_database, settings_to_change
    from worker.contract.entry import Reason
    from worker.identity.map_csv import read_names
    from worker.identity.map_load import find_conflicts, load_names, refuse_future_numbers
    from worker.identity.map_spool import open_spool
    from worker.progress.stored_dead_letters import count_dead_letters

    settings = settings_to_change("DATABASE_URL")
    with _opened(file) as (text, name), open_spool() as spool, open_database(settings) as engine:
        try:
            with open_progress("read", total=None, unit="lines") as progress:
                for line in spool.add(read_names(text, name), name):
                    if line % 1_000 == 0:
                        progress.update(line, f"{line:,} lines")
            refuse_future_numbers(engine, spool, name)
            with open_progress("compared", total=None, unit="names") as progress:
                _refuse(find_conflicts(engine, spool, _counting(progress)), name, replace=replace)
        except InputError as error:
            raise InputError(f"{error} Nothing was loaded.") from None
        with open_progress("loaded", total=None, unit="names") as progress:
            loaded = load_names(engine, spool, _counting(progress), replace=replace)
        with engine.connect() as connection:
            unmapped = count_dead_letters(connection).get(Reason.UNMAPPED, 0)
    _show(loaded, unmapped=unmapped)


def _counting(progress: "Progress") -> Callable[[int], None]:
    return lambda done: progress.update(done, f"{done:,} names")


def _refuse(conflicts: "Iterator[Conflict]", file: str, *, replace: bool) -> None:
    """Print the first conflicts. Raises ConflictError if there are any, and they are not to be replaced."""
    count = 0
    for count, conflict in enumerate(conflicts, 1):
        if count <= SHOWN_CONFLICTS:
            name, topic = conflict.name, ""
            if name.topic_id != conflict.known_topic_id:
                topic = f" in topic {conflict.known_topic_id}, not {name.topic_id}"
            click.echo(
                f"{file}, line {name.line}: {name.kind} {name.key!a:.200} of {name.source!a:.100} has the number "
                f"{conflict.known_id}, not {name.id}{topic}.",
                err=True,
            )
    if count and not replace:
        more = f", of which the first {SHOWN_CONFLICTS} are shown" if count > SHOWN_CONFLICTS else ""
        raise ConflictError(
            f"Names that have another number: {count:,}{more}. Correct the file, or give them its numbers by "
            "--replace; what is recorded stays under the numbers before."
        )


def _show(loaded: "Loaded", *, unmapped: int) -> None:
    from worker.formatting import counted

    count = loaded.added + loaded.replaced + loaded.unchanged
    click.echo(
        f"Loaded {counted(count, 'name')}: {loaded.added:,} new, {loaded.replaced:,} with another number than before, "
        f"{loaded.unchanged:,} known so already."
    )
    if loaded.replaced:
        click.echo("What is recorded stays under the numbers before.")
    if unmapped:
        click.echo(
            f"{counted(unmapped, 'dead letter')} {'waits' if unmapped == 1 else 'wait'} for names: "
            "`progress-worker dead-letters redrive --reason unmapped`."
        )


@contextmanager
def _opened(path: str) -> Iterator[tuple[TextIO, str]]:
    """Open the file, and name it for messages. Raises InputError."""
    if path == "-" and sys.stdin is None:
        raise InputError("Standard input is closed: name a file or pipe the names in.")
    if path == "-":
        yield TextIOWrapper(sys.stdin.buffer, "utf-8-sig", newline=""), "standard input"
        return
    try:
        file = Path(path).open(encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    with file:
        yield file, path
