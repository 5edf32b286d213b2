"""A section of a page: a table, what it says in a sentence, and the pictures made of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.reports.chart import Bars, Columns
from worker.reports.heatmap import Grid, Tiles
from worker.reports.table import Table

MOST_ROWS = 1_000
"""Rows of a table that a page shows; of more there is no picture either. A browser must bear them."""

Picture = Columns | Bars | Tiles | Grid


@dataclass(frozen=True, slots=True)
class Section:
    """What a page shows of one table; one that is not `folded` shows its rows at once."""

    table: Table
    gist: str
    pictures: tuple[Picture, ...] = ()
    is_folded: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """How a table becomes a section, and what is said where it has nothing to show."""

    gist: Callable[[Table], str]
    pictures: tuple[Callable[[Table], Picture | None], ...] = ()
    empty: str = ""
    is_empty: Callable[[Table], bool] = lambda table: not table.rows
    is_folded: bool = True

    def section(self, table: Table) -> Section:
        """The section of this table."""
        if self.is_empty(table):
            return Section(table, self.empty)
        drawn = self.pictures if len(table.rows) <= MOST_ROWS else ()
        made = tuple(picture for make in drawn if (picture := make(table)))
        return Section(table, self.gist(table), made, self.is_folded)


Plans = Mapping[str, Plan]
"""By the name of the table, in the order of the page."""
