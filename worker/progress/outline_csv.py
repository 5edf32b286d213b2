"""Read the lessons of a CSV file separated by commas, semicolons or tabs."""

import csv
import re
from collections.abc import Iterator
from io import StringIO

from worker.errors import InputError

_HEADERS = ({"topic_id", "lesson_id"}, {"topic_id", "lesson_id", "title"})
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_DECLARED = re.compile(r'"?sep=([,;\t])"?[,;\t]*\s*')
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")
"""As long as any id: Python raises an error of its own for thousands of digits."""

Row = tuple[str, list[str]]


def csv_lessons(text: str, name: str) -> Iterator[tuple[str, object]]:
    """Yield each lesson's place in the file and its members as in JSON. Raises InputError for the first error."""
    delimiter = next((each for each in _DELIMITERS if _columns(_first_row(text, each))), ",")
    rows = _rows(text, name, delimiter)
    place, header = next(rows)
    if _is_declaration(header, delimiter):
        place, header = next(rows, (place, header))
    columns = _columns(header)
    if not columns:
        raise InputError(
            f"{name}, {place}: {delimiter.join(header)[:50]!r} is neither JSON nor the header of a CSV file. "
            "A CSV file begins with the line topic_id,lesson_id,title or topic_id,lesson_id."
        )
    for place, cells in rows:
        while len(cells) > len(columns) and not cells[-1].strip():
            cells.pop()
        if len(cells) > len(columns):
            raise InputError(
                f"{name}, {place}: {len(cells)} cells under {len(columns)} columns. "
                f"Put a title that contains a {_DELIMITERS[delimiter]} in double quotes."
            )
        yield place, {column: _member(column, cell) for column, cell in zip(columns, cells, strict=False)}


def _first_row(text: str, delimiter: str) -> list[str]:
    """Return the row that may be the header."""
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return next((row for row in rows if any(each.strip() for each in row) and not _is_declaration(row, delimiter)), [])


def _is_declaration(row: list[str], delimiter: str) -> bool:
    """Return whether the row is the `sep=;` that some spreadsheets write before the header."""
    return _DECLARED.fullmatch(delimiter.join(row)) is not None


def _columns(header: list[str]) -> list[str]:
    """Return the normalized names of the columns; none if this is not a header."""
    columns = ["_".join(re.split(r"[\s_-]+", cell.strip().lower())) for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    return columns if set(columns) in _HEADERS and len(set(columns)) == len(columns) else []


def _rows(text: str, name: str, delimiter: str) -> Iterator[Row]:
    """Yield the non-empty rows, each with its first line."""
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield f"line {line}", row
            line = rows.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{name}, line {line}: not CSV ({error}). Close each quoted title, and double any quote inside it."
        ) from None


def _member(column: str, cell: str) -> object:
    """Return the cell as in JSON; anything but a whole number stays text, which the contract refuses."""
    if column == "title":
        return cell or None
    return int(cell) if _WHOLE_NUMBER.fullmatch(cell.strip()) else cell
