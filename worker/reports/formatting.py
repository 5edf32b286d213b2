"""Values as people read them."""

from collections.abc import Callable, Mapping
from typing import Any

from worker import formatting
from worker.printable import printable
from worker.reports.table import Kind, Table

NOTHING = "\N{EN DASH}"
SPACE = "\N{NO-BREAK SPACE}"
"""Between a figure and its unit."""

_HOUR = 3_600
_ISOLATED, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
"""What stands between them does not turn the sentence around."""


def shown(value: Any, kind: Kind) -> str:
    """The value in words and rounded figures; a dash where there is none."""
    return NOTHING if value is None else _WORDS[kind](value)


def row_shown(table: Table, row: tuple[Any, ...]) -> list[str]:
    """Each cell of the row."""
    kinds = [Kind(row[-1]) if column.kind is Kind.MIXED else column.kind for column in table.columns]
    return [shown(value, kind) for value, kind in zip(row, kinds, strict=True)]


def spent(seconds: float) -> str:
    """A time spent. It has no days, which would be of 24 hours and nobody's."""
    if not seconds:
        return "none"
    return _duration(seconds) if seconds < 48 * _HOUR else f"{seconds / _HOUR:,.0f}{SPACE}h"


def percent(number: float) -> str:
    """A percentage; only nothing is 0, and only all is 100."""
    return formatting.percent(number).replace(" ", SPACE)


def about(number: float) -> str:
    """Two significant digits, thousands parted."""
    return f"{float(formatting.two_digits(number)):,.15g}"


def compact(number: float) -> str:
    """A count where there is little room."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{formatting.two_digits(number / size)}{unit}"
    return f"{number:g}"


def lesson_name(record: Mapping[str, Any]) -> str:
    """The lesson's title, whichever way it is written, and its ids where it has none."""
    title = printable(record["title"] or "").strip()
    if not title:
        return f"topic {record['topic_id']}, lesson {record['lesson_id']}"
    return f"“{_ISOLATED}{title}{_END}”"


def _duration(seconds: float) -> str:
    return formatting.duration(seconds).replace(" ", SPACE)


_WORDS: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: printable,
    Kind.CODE: lambda code: code.replace("_", " ").capitalize(),
    Kind.ID: str,
    Kind.COUNT: lambda number: f"{number:,}",
    Kind.NUMBER: about,
    Kind.RATIO: lambda share: percent(100 * share),
    Kind.PERCENT: percent,
    Kind.SECONDS: spent,
    Kind.DAYS: lambda days: _duration(86_400 * days),
    Kind.DATE: lambda day: f"{day.day} {day:%b %Y}",
    Kind.TIME: lambda at: f"{at.day} {at:%b %Y, %H:%M} {at:%Z}",
    Kind.FLAG: lambda flag: "yes" if flag else "no",
}
