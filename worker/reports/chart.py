"""Pictures: what the template draws. All figures are percentages of a height or a width, and words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from worker.reports.chart_scale import Mark, Scale, scale_for, with_room
from worker.reports.formatting import shown
from worker.reports.table import Kind, Table

_LEAST_COLUMNS = 16
"""So that a few are no walls."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture's columns: what it is, which values it has, and whether it is drawn strong or pale."""

    name: str
    column: str
    is_strong: bool = True

    @property
    def style(self) -> str:
        """Its class."""
        return "strong" if self.is_strong else "pale"


@dataclass(frozen=True, slots=True)
class Stack:
    """One column of a chart: its words, and how high each part is, one before the other."""

    words: str
    heights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart of columns side by side; `words` is the gist for those who do not see it."""

    template: ClassVar[str] = "columns"
    title: str
    words: str
    parts: tuple[Part, ...]
    stacks: tuple[Stack, ...]
    scale: Scale
    width: int
    labels: tuple[Mark, ...]
    axis: str
    separators: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from the left, so many percent long, with its name and its figure in words."""

    name: str
    figure: str
    length: float
    strong: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars below each other."""

    template: ClassVar[str] = "bars"
    title: str
    words: str
    parts: tuple[Part, ...]
    bars: tuple[Bar, ...]


def columns(
    table: Table,
    title: str,
    *parts: Part,
    name: Callable[[dict[str, Any]], str],
    labels: Callable[[dict[str, Any]], str],
    axis: str,
    room: float,
    is_grouped: bool = False,
) -> Columns:
    """A chart with a column for each row: pale parts first, so that the strong one stands before them.

    A label is set where it changes, if it has so much room; `is_grouped` draws a line there as well.
    """
    records, kind = table.records(), _kind(table, parts[0].column)
    scale = scale_for((record[part.column] for record in records for part in parts), kind)
    stacks = [
        Stack(
            f"{_capital(name(record))}: "
            + ", ".join(f"{shown(record[part.column], kind)} {part.name}" for part in parts),
            tuple(scale.percent(record[part.column]) for part in parts),
        )
        for record in records
    ]
    width = max(len(records), _LEAST_COLUMNS)
    texts = [labels(record) for record in records]
    starts = [index for index, text in enumerate(texts) if text and (index == 0 or text != texts[index - 1])]
    return Columns(
        title=title,
        words=f"{title}: {_gist(table, parts, kind)}",
        parts=parts,
        stacks=tuple(stacks),
        scale=scale,
        width=width,
        labels=tuple(with_room([Mark(100 * index / width, texts[index]) for index in starts], room)),
        axis=axis,
        separators=tuple(starts[1:]) if is_grouped else (),
    )


def bars(
    table: Table, title: str, records: Sequence[dict[str, Any]], *parts: Part, name: Callable[[dict[str, Any]], str]
) -> Bars:
    """A bar for each of these records of the table: the first part is its length, the last its strong part."""
    kind, longest = _kind(table, parts[0].column), max(record[parts[0].column] for record in records) or 1
    drawn = tuple(
        Bar(
            _capital(name(record)),
            shown(record[parts[0].column], kind),
            round(100 * record[parts[0].column] / longest, 2),
            round(100 * record[parts[-1].column] / longest, 2),
        )
        for record in records
    )
    return Bars(title, f"{title}: " + "; ".join(f"{each.name} {each.figure}" for each in drawn), parts, drawn)


def month(day: date) -> str:
    """What a week or a day is labeled with."""
    return f"{day:%b %Y}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _kind(table: Table, name: str) -> Kind:
    return next(column.kind for column in table.columns if column.name == name)


def _gist(table: Table, parts: Sequence[Part], kind: Kind) -> str:
    said = []
    for part in parts:
        values = table.column(part.column)
        said.append(f"{part.name} from {shown(min(values), kind)} to {shown(max(values), kind)}")
    return f"{len(table.rows)} columns, " + ", ".join(said)
