"""Show the progress of long work on standard error: a bar on a terminal, otherwise an occasional line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click

LINE_SECONDS = 2.0
WIDE = 80
"""Columns of a terminal that has room for a bar and times beside the numbers."""


class Progress(Protocol):
    """Shows the progress of work."""

    def update(self, done: float, text: str) -> None:
        """Show that `done` of the total is done; `text` says it in words."""


class Lines:
    """Prints a line every two seconds."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._next_at = time.monotonic() + LINE_SECONDS

    def update(self, done: float, text: str) -> None:  # noqa: ARG002 - the text says it
        """Print if it is time."""
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + LINE_SECONDS
            click.echo(f"{self._verb}: {text}", err=True)


@contextmanager
def open_progress(verb: str, *, total: float | None, unit: str = "events") -> Iterator[Progress]:
    """Show progress during the block; without a total, only count. `unit` may be bytes."""
    from worker.cli.output import console

    screen = console(stderr=True)
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield Lines(verb)
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    text = "{task.fields[text]}"
    columns = [TextColumn(verb), BarColumn(), TaskProgressColumn(), TextColumn(text)]
    columns += [TimeElapsedColumn(), TimeRemainingColumn()]
    if screen.width < WIDE:
        columns = [TextColumn(verb), TaskProgressColumn(), TextColumn(text, table_column=Column(overflow="fold"))]
    with RichProgress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(verb, total=total, text="", unit=unit)

        class Bar:
            def update(self, done: float, text: str) -> None:
                bar.update(task, completed=done, text=text)

        yield Bar()
