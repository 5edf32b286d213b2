"""Read the lessons of an outline in numbers from a CSV file."""

import re
from collections.abc import Iterator

from worker.adapters.outlines.csv_rows import Header, csv_rows

_HEADER = Header(
    accepts=lambda columns: columns in ({"topic_id", "lesson_id"}, {"topic_id", "lesson_id", "title"}),
    otherwise="neither JSON nor the header of a CSV file. "
    "A CSV file begins with the line topic_id,lesson_id,title or topic_id,lesson_id.",
)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")
"""As long as any id: Python raises an error of its own for thousands of digits."""


def csv_lessons(text: str, name: str) -> Iterator[tuple[str, object]]:
    """Yield each lesson's place in the file and its members as in JSON. Raises InputError for the first error."""
    for place, cells in csv_rows(text, name, _HEADER):
        yield place, {column: _member(column, cell) for column, cell in cells.items()}


def _member(column: str, cell: str) -> object:
    """Return the cell as in JSON; anything but a whole number stays text, which the contract refuses."""
    if column == "title":
        return cell or None
    return int(cell) if _WHOLE_NUMBER.fullmatch(cell.strip()) else cell
