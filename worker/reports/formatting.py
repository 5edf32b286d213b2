"""How values read on a page."""

import re
from collections.abc import Callable
from typing import Any

from worker import formatting
from worker.printable import printable
from worker.reports.table import AnyLesson, Kind

NOTHING = "\N{EN DASH}"
MAX_TITLE = 60
"""Characters of a lesson's title that a page shows at once; the whole of a longer one is its tooltip."""

SPACE = "\N{NO-BREAK SPACE}"
"""Between a figure and its unit."""

_HOUR = 3_600
_ISOLATED, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
"""Text between them keeps its direction to itself."""
_TITLE = re.compile(f"“{_ISOLATED}(.*?){_END}”")


def shown(value: Any, kind: Kind) -> str:
    """Return the value, rounded for reading; a dash for None."""
    if value is None:
        return NOTHING
    found = _FORMATS[kind](value)
    return found.replace(" ", SPACE) if kind in _WITH_UNIT else found


def compact(number: float) -> str:
    """Return a count for where there is little room."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{formatting.two_digits(number / size)}{unit}"
    return f"{number:g}"


def lesson_name(lesson: AnyLesson) -> str:
    """Return the lesson's title, whatever its writing direction, or its ids if it has none."""
    title = printable(lesson.title or "").strip()
    return f"“{_ISOLATED}{title}{_END}”" if title else lesson_ids(lesson)


def lesson_ids(lesson: AnyLesson) -> str:
    """Return the lesson's topic and id."""
    return f"topic {lesson.topic_id}, lesson {lesson.lesson_id}"


def pieces(text: str) -> list[tuple[str, bool]]:
    """Return the text in pieces, each with whether it is a title that `lesson_name` set in quotation marks.

    No title has such marks inside: they are control characters, which `printable` escapes.
    """
    found = enumerate(_TITLE.split(text))
    return [(piece, index % 2 == 1) for index, piece in found if piece]


def _spent(seconds: float) -> str:
    """Return a time spent without days: a day of learning is not 24 hours."""
    if not seconds:
        return "none"
    return formatting.duration(seconds) if seconds < 48 * _HOUR else f"{seconds / _HOUR:,.0f} h"


_FORMATS: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: printable,
    Kind.CODE: lambda code: code.replace("_", " ").capitalize(),
    Kind.ID: str,
    Kind.LEARNER: str,
    Kind.LESSON: lesson_name,
    Kind.COUNT: lambda number: f"{number:,}",
    Kind.NUMBER: formatting.two_digits,
    Kind.RATIO: lambda ratio: formatting.percent(100 * ratio),
    Kind.PERCENT: formatting.percent,
    Kind.PROGRESS: formatting.percent,
    Kind.SECONDS: _spent,
    Kind.DAYS: lambda days: formatting.duration(86_400 * days),
    Kind.DATE: lambda day: f"{day.day} {day:%b %Y}",
    Kind.TIME: lambda at: f"{at.day} {at:%b %Y, %H:%M} {at:%Z}",
    Kind.FLAG: lambda flag: "yes" if flag else "no",
}
_WITH_UNIT = {Kind.RATIO, Kind.PERCENT, Kind.PROGRESS, Kind.SECONDS, Kind.DAYS}
