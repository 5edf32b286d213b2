"""Sections of a page: a table, its headline sentence, and its pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import not_
from typing import Any, Generic

from worker.reports.chart import Bars, Columns
from worker.reports.heatmap import Grid, Tiles
from worker.reports.table import Row, Table

MAX_ROWS = 1_000
"""Rows of a table shown on a page, for the browser's sake; a longer table has no picture either."""

Picture = Columns | Bars | Tiles | Grid


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page; a folded one shows the rows of its table on request."""

    table: Table[Any]
    headline: str
    pictures: tuple[Picture, ...] = ()
    is_folded: bool = True


@dataclass(frozen=True, slots=True)
class Plan(Generic[Row]):
    """How the rows of a table become a section; `empty` is the sentence that takes its place where `is_empty` holds.

    A table of more than `open_rows` rows is folded.
    """

    headline: Callable[[Sequence[Row]], str]
    pictures: tuple[Callable[[Sequence[Row]], Picture | None], ...] = ()
    empty: str = ""
    is_empty: Callable[[Sequence[Row]], bool] = not_
    open_rows: int = 0

    def section(self, table: Table[Row]) -> Section | str:
        """Return the section of this table, or a sentence if there is nothing to show."""
        if self.is_empty(table.rows):
            return self.empty
        drawn = self.pictures if len(table.rows) <= MAX_ROWS else ()
        pictures = tuple(picture for draw in drawn if (picture := draw(table.rows)))
        headline = self.headline(table.rows)
        if table.total > len(table.rows):
            headline += f" These are the first {len(table.rows):,} of {table.total:,}."
        return Section(table, headline, pictures, len(table.rows) > self.open_rows)


Plans = Mapping[str, Plan[Any]]
"""By table name, in the order of the page. The first table whose absence explains that of others is `lessons`."""
