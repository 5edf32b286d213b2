"""Charts of columns and bars, ready for the template: lengths are percentages, everything else is text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from worker.reports.chart_scale import Mark, Scale, scale_for, with_room
from worker.reports.formatting import shown
from worker.reports.table import Column, Kind, Row, Row_contra

_WHOLE = {Kind.RATIO: 1, Kind.PERCENT: 100}
"""What fills the track of a bar that shows a share; other bars are as long as they are beside the longest."""

_LABEL_OF_A_COLUMN = 0.9
"""Width of the widest label beside the widest column: a chart of few columns is not wider than these."""


@dataclass(frozen=True, slots=True)
class Part(Generic[Row_contra]):
    """A part of a chart's columns: its name, the table's column that has its values, and its shade."""

    name: str
    column: Column[Row_contra]
    is_strong: bool = True

    @property
    def style(self) -> str:
        """The CSS class."""
        return "strong" if self.is_strong else "pale"

    def shown(self, row: Row_contra) -> str:
        """Return the formatted value."""
        return shown(self.column.value(row), self.column.kind)


@dataclass(frozen=True, slots=True)
class Stack:
    """One column of a chart: its tooltip, and the height of each part, later parts in front."""

    tooltip: str
    heights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart of columns side by side; `description` is for screen readers."""

    template: ClassVar[str] = "columns"
    title: str
    description: str
    parts: tuple[Part[Any], ...]
    stacks: tuple[Stack, ...]
    scale: Scale
    labels: tuple[Mark, ...]
    axis: str
    last_label: str
    separators: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar with its name and formatted figure; `strong` is the length of its strong part."""

    name: str
    figure: str
    length: float
    strong: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A chart of bars below each other."""

    template: ClassVar[str] = "bars"
    title: str
    parts: tuple[Part[Any], ...]
    bars: tuple[Bar, ...]


def columns(
    rows: Sequence[Row],
    title: str,
    *parts: Part[Row],
    name: Callable[[Row], str],
    labels: Callable[[Row], str],
    axis: str,
    room: float,
    last_label: str = "",
    is_grouped: bool = False,
) -> Columns | None:
    """Return a chart with a column for each row, None where all are 0; pale parts come first, behind the strong one.

    A label is set where it changes, if it has `room` percent of the width; `is_grouped` also draws a line there.
    `last_label` is that of the last column in any case.
    """
    values = [[part.column.value(row) for part in parts] for row in rows]
    if not any(map(any, values)):
        return None
    scale = scale_for((value for each in values for value in each), parts[0].column.kind)
    stacks = [
        Stack(
            f"{_capital(name(row))}: " + ", ".join(f"{part.shown(row)} {part.name}" for part in parts),
            tuple(map(scale.percent, each)),
        )
        for row, each in zip(rows, values, strict=True)
    ]
    ranges = [
        f"{part.name} from {part.shown(min(rows, key=part.column.value))} to "
        f"{part.shown(max(rows, key=part.column.value))}"
        for part in parts
    ]
    room = max(room, _LABEL_OF_A_COLUMN * 100 / len(rows))
    texts = [labels(row) for row in rows]
    starts = [index for index, text in enumerate(texts) if text and (index == 0 or text != texts[index - 1])]
    return Columns(
        title=title,
        description=f"{title}: {len(rows)} columns, " + ", ".join(ranges),
        parts=parts,
        stacks=tuple(stacks),
        scale=scale,
        labels=tuple(with_room([Mark(100 * index / len(rows), texts[index]) for index in starts], room, last_label)),
        axis=axis,
        last_label=last_label,
        separators=tuple(starts[1:]) if is_grouped else (),
    )


def bars(rows: Sequence[Row], title: str, *parts: Part[Row], name: Callable[[Row], str]) -> Bars:
    """Return a chart with a bar for each row: the first part is its length, the last its strong part.

    A share fills its share of the track: 40 % are 40 % of it.
    """
    whole, strong = parts[0], parts[-1]
    longest = _WHOLE.get(whole.column.kind) or max(map(whole.column.value, rows)) or 1
    drawn = tuple(
        Bar(
            _capital(name(row)),
            whole.shown(row),
            round(100 * whole.column.value(row) / longest, 2),
            round(100 * strong.column.value(row) / longest, 2),
        )
        for row in rows
    )
    return Bars(title, parts, drawn)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
