"""Progress of a running demo: live on a terminal, otherwise an occasional line."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from worker.cli.progress_bar import LINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from worker.settings import Settings
    from worker.simulation.published import Published


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts at one moment."""

    published: int
    recorded: int
    lag: int
    pending: int
    dead_letters: int
    parked: int

    @property
    def done(self) -> int:
        """Entries that were read and acknowledged."""
        return self.published - self.lag - self.pending


class View:
    """Publishes entries, measures and shows progress."""

    def __init__(
        self, settings: "Settings", engine: "Engine", show: "Callable[[Figures, float], None]", total: int
    ) -> None:
        from worker.client import EventPublisher
        from worker.streams import connection
        from worker.streams.keys import Keys

        self._engine = engine
        self._show = show
        self._publisher = EventPublisher(settings=settings)
        self._redis = connection.connect(settings)
        self._keys = Keys.of(settings)
        self._published = 0
        self._total = total
        self._looked_at = self._started = time.monotonic()
        self._latest: Figures | None = None

    def publish(self, published: "Sequence[Published]") -> None:
        """Append these entries in order."""
        self._publisher.publish_raw((each.key, each.body) for each in published if each.body is not None)
        for each in published:
            if each.body is None:  # EventPublisher cannot omit the field
                self._redis.xadd(self._keys.stream_for(each.key), {"something": "else"})
        self._published += len(published)

    def is_due(self, seconds: float) -> bool:
        """Whether the last measurement is at least that old."""
        return time.monotonic() - self._looked_at >= seconds

    def look(self) -> Figures:
        """Measure, show and return the counts."""
        from worker.contract.entry import Reason
        from worker.database.table_sizes import count_rows
        from worker.progress import stored_dead_letters
        from worker.streams.backlog import measure

        backlogs = measure(self._redis, self._keys.group, self._keys.streams)
        with self._engine.connect() as connection:
            letters = stored_dead_letters.count_dead_letters(connection)
            recorded = count_rows(connection, ["lesson_event"])["lesson_event"].rows
        figures = Figures(
            published=self._published,
            recorded=recorded,
            lag=sum(each.lag for each in backlogs),
            pending=sum(each.pending for each in backlogs),
            dead_letters=sum(letters.values()),
            parked=letters.get(Reason.UNKNOWN_ENROLLMENT, 0),
        )
        self._looked_at = time.monotonic()
        self._show(figures, figures.done / max(0.001, self._looked_at - self._started))
        self._latest = figures
        return figures

    @property
    def drained(self) -> bool:
        """Whether everything had been published and acknowledged at the last measurement."""
        latest = self._latest
        return latest is not None and latest.published == self._total and latest.lag == latest.pending == 0

    @property
    def parked(self) -> int:
        """Parked dead letters at the last measurement."""
        return self._latest.parked if self._latest else 0


@contextmanager
def open_view(settings: "Settings", engine: "Engine", total: int) -> Iterator[View]:
    """Open a view for `total` entries."""
    from worker.cli.output import console

    screen = console()
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield View(settings, engine, _Lines(total).show, total)
        return
    from rich.console import Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    with Live(console=screen, refresh_per_second=8, transient=False) as live:

        def show(figures: Figures, rate: float) -> None:
            grid = Table.grid(padding=(0, 3))
            for name, value in _named(figures, rate):
                grid.add_row(name, value)
            bar = ProgressBar(total=total, completed=figures.done, width=min(60, screen.width))
            live.update(Group("", bar, grid, ""))

        yield View(settings, engine, show, total)


class _Lines:
    """Prints a line every two seconds, and one when everything is done."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._next_at = time.monotonic()
        self._finished = False

    def show(self, figures: Figures, rate: float) -> None:
        """Print if it is time."""
        finished = figures.done == self._total
        if time.monotonic() >= self._next_at or (finished and not self._finished):
            self._next_at = time.monotonic() + LINE_SECONDS
            click.echo(", ".join(f"{name} {value}" for name, value in _named(figures, rate)))
        self._finished = finished


def _named(figures: Figures, rate: float) -> list[tuple[str, str]]:
    return [
        ("published", f"{figures.published:,}"),
        ("done", f"{figures.done:,}"),
        ("ledger", f"{figures.recorded:,}"),
        ("lag", f"{figures.lag:,}"),
        ("pending", f"{figures.pending:,}"),
        ("dead letters", f"{figures.dead_letters:,} ({figures.parked:,} waiting)"),
        ("events/s", f"{rate:,.0f}"),
    ]
