"""Tables of a report: typed rows and the columns that read them. Pages, CSV and JSON all go through these columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

from worker.analytics import analysis
from worker.analytics.rules.recommendations import Recommendation
from worker.analytics.rules.stuck import Stuck
from worker.errors import NotFoundError

Row = TypeVar("Row")
Row_contra = TypeVar("Row_contra", contravariant=True)

Value = str | int | float | Decimal | date | datetime | None
"""The value of a cell, None where it is unknown."""

AnyLesson = analysis.AnalyzedLesson | analysis.VisitedLesson | Recommendation | Stuck
AnyTime = (
    analysis.AnalyzedLesson
    | analysis.VisitedLesson
    | analysis.TopicTime
    | analysis.DayTime
    | analysis.Week
    | analysis.WeekTime
)
"""A row with a time spent."""


class Kind(StrEnum):
    """The kind of values in a column, which decides how a page formats them."""

    TEXT = "text"
    CODE = "code"
    """One of a few names."""
    ID = "id"
    LEARNER = "learner"
    """An enrollment's id, which a served page links to its report."""
    LESSON = "lesson"
    """A row with a lesson: one column of a page for its ids and title."""
    COUNT = "count"
    NUMBER = "number"
    RATIO = "ratio"
    """0...1"""
    PERCENT = "percent"
    """0...100"""
    PROGRESS = "progress"
    """0...100, with a bar on a page."""
    SECONDS = "seconds"
    DAYS = "days"
    DATE = "date"
    TIME = "time"
    FLAG = "flag"
    MIXED = "mixed"
    """One of the others, named in the row's `unit`."""

    @property
    def is_text(self) -> bool:
        """Aligned left; every other kind is aligned right."""
        return self in {Kind.TEXT, Kind.CODE, Kind.LESSON, Kind.FLAG, Kind.DATE, Kind.TIME}


@dataclass(frozen=True, slots=True)
class Column(Generic[Row_contra]):
    """A column: its name in exports, which includes the unit, its title on a page, and its value in a row."""

    name: str
    title: str
    kind: Kind
    value: Callable[[Row_contra], Any]


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """Typed rows and their columns. The name appears in URLs and file names; the description defines the figures."""

    name: str
    title: str
    description: str
    columns: tuple[Column[Row], ...]
    rows: Sequence[Row]
    total: int = 0
    """Of how many the rows are the first; otherwise at most their number."""

    def records(self) -> list[dict[str, Value]]:
        """Return each row's plain values by column name, for exports."""
        return [{column.name: column.value(row) for column in self.columns} for row in self.rows]


@dataclass(frozen=True, slots=True)
class Report:
    """The tables of one course or one enrollment.

    Everything recorded before `as_of` is included, None if its activity was never computed; `pending` enrollments have
    changes that are not.
    """

    subject: str
    """`course` or `learner`."""
    id: int
    as_of: datetime | None
    tables: Sequence[Table[Any]]
    pending: int
    course_id: int | None

    def table(self, name: str) -> Table[Any]:
        """Return the table of this name. Raises NotFoundError, which lists the names there are."""
        for table in self.tables:
            if table.name == name:
                return table
        names = ", ".join(table.name for table in self.tables)
        raise NotFoundError(f"A {self.subject}'s report has no table {name!r}; it has {names}.")


FOREMOST = "Headline"
"""The group of the four figures that stand above the others."""


class Figure(NamedTuple):
    """One figure of the whole; `group` is the heading it stands under."""

    name: str
    value: Value
    kind: Kind
    group: str = FOREMOST
    caveat: str = ""
    """On a page, behind the name."""


KNOWN_SO_FAR = "of the lessons known so far"
"""The caveat of a progress without an outline."""


def session_figures(found: analysis.CourseAnalysis | analysis.LearnerAnalysis) -> list[Figure]:
    """Return the figures of time spent and sessions."""
    mean = found.session_seconds / found.sessions if found.session_seconds else None
    return [
        Figure("Time spent", found.spent.seconds, Kind.SECONDS, "Time"),
        Figure("Measured time", found.spent.measured_ratio, Kind.RATIO, "Time"),
        Figure("Sessions", found.sessions, Kind.COUNT, "Time"),
        Figure("Mean session", mean, Kind.SECONDS, "Time"),
    ]


HEADLINE: tuple[Column[Figure], ...] = (
    Column("figure", "Figure", Kind.TEXT, lambda figure: figure.name),
    Column("value", "Value", Kind.MIXED, lambda figure: figure.value),
    Column("unit", "Unit", Kind.TEXT, lambda figure: figure.kind.value),
    Column("group", "Group", Kind.TEXT, lambda figure: figure.group),
)

LESSON: tuple[Column[AnyLesson], ...] = (
    Column("topic_id", "Topic", Kind.ID, lambda lesson: lesson.topic_id),
    Column("lesson_id", "Lesson", Kind.ID, lambda lesson: lesson.lesson_id),
    Column("title", "Title", Kind.TEXT, lambda lesson: lesson.title),
)
"""The title is the outline's, None where it has none."""

SPENT: tuple[Column[AnyTime], ...] = (
    Column("spent_seconds", "Time spent", Kind.SECONDS, lambda row: row.spent.seconds),
    Column("measured_seconds", "Measured", Kind.SECONDS, lambda row: row.spent.measured_seconds),
)
"""Time that is not measured is estimated."""
