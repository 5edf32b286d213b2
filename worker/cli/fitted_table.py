"""Tables that fit their terminal without breaking an id, a name, a number or a time. Imports rich, which is slow."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.style import StyleType
from rich.table import Column, Table
from rich.text import Text

from worker.cli.plain_terminal import as_shown

PROSE_WIDTH, WORD_WIDTH = 16, 36
"""A column of prose is folded at words to no less than the first, and to no less than a word up to the second."""
GAP = 3
"""Space that a column takes beside its content."""
_PLAIN: dict[str, Any] = {"title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD, "pad_edge": False}


class FittedTable(Table):
    """A plain table. Where it is too wide it folds headers and prose, then omits its spare columns, first to last.

    What does not fit even so is printed as records, one line a cell; facts, which have no header, as names and values.
    """

    def __init__(
        self, title: str | None, columns: Sequence[str], numbers: set[str], prose: set[str], spare: Sequence[str]
    ) -> None:
        super().__init__(title=title, **_PLAIN)
        self._prose, self._spare = prose, spare
        for column in columns:
            self.add_column(column, justify="right" if column in numbers else "left", overflow="fold")

    def add_row(self, *cells: RenderableType | None, style: StyleType | None = None, end_section: bool = False) -> None:
        """Add a row whose text is as wide as it will be shown."""
        shown = (as_shown(cell, sys.stdout) if isinstance(cell, str) else cell for cell in cells)
        super().add_row(*shown, style=style, end_section=end_section)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print what fits."""
        width = options.max_width
        if _total(map(_natural_width, self.columns)) <= width:
            yield from super().__rich_console__(console, options)
            return
        columns, omitted = list(self.columns), []
        for name in self._spare:
            if _total(map(self._least_width, columns)) > width:
                columns = [column for column in columns if column.header != name]
                omitted.append(name)
        if _total(map(self._least_width, columns)) > width:
            yield from self._records()
            return
        yield self._of(columns, self._widths(columns, width))
        if named := ", ".join(filter(None, omitted)):
            yield Text(f"Not shown at this width: {named}.", style="dim")

    def _widths(self, columns: list[Column], width: int) -> list[int]:
        """Return the columns' widths: prose shares the room that the others leave."""
        widths = list(map(self._least_width, columns))
        prose = [number for number, column in enumerate(columns) if column.header in self._prose]
        room = width - _total(widths)
        for left, number in zip(range(len(prose), 0, -1), prose, strict=True):
            more = min(room // left, _content_width(columns[number]) - widths[number])
            widths[number] += max(0, more)
            room -= max(0, more)
        return widths

    def _of(self, columns: list[Column], widths: list[int]) -> Table:
        table = Table(title=self.title, show_header=self.show_header, **_PLAIN)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(column.header, justify=column.justify, width=width, overflow="fold")
        for row, cells in zip(self.rows, zip(*(column.cells for column in columns), strict=True), strict=True):
            table.add_row(*cells, end_section=row.end_section)
        return table

    def _least_width(self, column: Column) -> int:
        header, content = _word_width([column.header]), _content_width(column)
        if column.header not in self._prose:
            return max(header, content)
        word = min(_word_width(column.cells), WORD_WIDTH)
        return max(header, word, min(content, PROSE_WIDTH))

    def _records(self) -> Iterator[Text | Table]:
        if self.title:
            yield Text(str(self.title), style="bold")
        rows = list(zip(*(column.cells for column in self.columns), strict=True))
        headers = [str(column.header) for column in self.columns]
        records = [[each for each in zip(headers, row, strict=True) if each[0]] for row in rows]
        for record in records if self.show_header else [rows]:
            lines = Table.grid(padding=(0, 2))
            lines.add_column(no_wrap=True)
            lines.add_column(overflow="fold")
            for line in record:
                lines.add_row(*line)
            yield lines
            yield Text()


def _total(widths: Iterable[int]) -> int:
    each = list(widths)
    return sum(each) + GAP * len(each) - 1


def _natural_width(column: Column) -> int:
    return max(cell_len(str(column.header)), _content_width(column))


def _word_width(cells: Iterable[object]) -> int:
    """Return the width of the longest word; an address or a path may be broken."""
    return max((cell_len(word) for cell in cells for word in str(cell).split() if "/" not in word), default=0)


def _content_width(column: Column) -> int:
    if column.width is not None:
        return column.width
    return max((cell_len(line) for cell in column.cells for line in str(cell).split("\n")), default=0)
