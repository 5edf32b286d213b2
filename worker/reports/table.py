"""What a report is: tables of plain values. Pictures, CSV and JSON are all made of these, so they cannot differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from worker.errors import NotFoundError

Value = str | int | float | Decimal | date | datetime | None
"""Of a cell; None where there is none."""


class Kind(StrEnum):
    """What the values of a column are, and so how people read them."""

    TEXT = "text"
    CODE = "code"
    """One of a few names."""
    ID = "id"
    COUNT = "count"
    NUMBER = "number"
    RATIO = "ratio"
    """0...1"""
    PERCENT = "percent"
    """0...100"""
    SECONDS = "seconds"
    DAYS = "days"
    DATE = "date"
    TIME = "time"
    FLAG = "flag"
    MIXED = "mixed"
    """As the row's `unit` says, which is one of the others."""

    @property
    def is_text(self) -> bool:
        """Set to the left; everything else to the right."""
        return self in {Kind.TEXT, Kind.CODE, Kind.FLAG, Kind.DATE, Kind.TIME}


@dataclass(frozen=True, slots=True)
class Column:
    """The name is for programs and has the unit in it, the title for people."""

    name: str
    title: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain values. The name is that of addresses and files; the description says what is counted, and how."""

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Value, ...]]

    def column(self, name: str) -> list[Any]:
        """Its values from top to bottom."""
        index = next(index for index, column in enumerate(self.columns) if column.name == name)
        return [row[index] for row in self.rows]

    def records(self) -> list[dict[str, Any]]:
        """Each row with the names of its columns."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Report:
    """The tables of one course or one enrollment; `as_of` is when the analysis is from, None where it never was."""

    subject: str
    """`course` or `learner`."""
    id: int
    as_of: datetime | None
    tables: Sequence[Table]

    def table(self, name: str) -> Table:
        """The table of this name. Raises NotFoundError that lists those there are."""
        for table in self.tables:
            if table.name == name:
                return table
        names = ", ".join(table.name for table in self.tables)
        raise NotFoundError(f"A {self.subject}'s report has no table {name!r}; it has {names}.")


LESSON = (
    Column("topic_id", "Topic", Kind.ID),
    Column("lesson_id", "Lesson", Kind.ID),
    Column("title", "Title", Kind.TEXT),
)
"""The columns that name a lesson; the title is the outline's, None where it has none."""

SPENT = (
    Column("spent_seconds", "Time spent", Kind.SECONDS),
    Column("measured_seconds", "Of it measured", Kind.SECONDS),
)
"""The columns of a time spent; what of it is not measured is estimated."""

HEADLINE = (
    Column("figure", "Figure", Kind.TEXT),
    Column("value", "Value", Kind.MIXED),
    Column("unit", "Unit", Kind.TEXT),
)
"""The columns of figures that have nothing in common."""
