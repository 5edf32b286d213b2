"""The lessons of a CSV file, as people and spreadsheets write them: with commas, semicolons or tabs."""

import csv
import re
from collections.abc import Iterator
from io import StringIO

from worker.errors import InputError

_HEADERS = ({"topic_id", "lesson_id"}, {"topic_id", "lesson_id", "title"})
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_DECLARED = re.compile(r'"?sep=([,;\t])"?[,;\t]*\s*')
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")
"""No longer than any id: Python refuses numbers of thousands of digits with an error of its own."""

Row = tuple[str, list[str]]


def csv_lessons(text: str, name: str) -> Iterator[tuple[str, object]]:
    """Where each lesson stands, and its members as JSON would have them. Raises InputError for the first mistake."""
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
                f"A title with a {_DELIMITERS[delimiter]} stands in double quotes."
            )
        yield place, {column: _member(column, cell) for column, cell in zip(columns, cells, strict=False)}


def _first_row(text: str, delimiter: str) -> list[str]:
    """What might be the header."""
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return next((row for row in rows if any(each.strip() for each in row) and not _is_declaration(row, delimiter)), [])


def _is_declaration(row: list[str], delimiter: str) -> bool:
    """Some spreadsheets write `sep=;` before the header."""
    return _DECLARED.fullmatch(delimiter.join(row)) is not None


def _columns(header: list[str]) -> list[str]:
    """The names of the columns, however they are spelled; none where this is no header."""
    columns = ["_".join(re.split(r"[\s_-]+", cell.strip().lower())) for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    return columns if set(columns) in _HEADERS and len(set(columns)) == len(columns) else []


def _rows(text: str, name: str, delimiter: str) -> Iterator[Row]:
    """The rows that have something in them, each with the line it begins at."""
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield f"line {line}", row
            line = rows.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{name}, line {line}: not CSV ({error}). A quoted title ends with its quote; one inside it is doubled."
        ) from None


def _member(column: str, cell: str) -> object:
    """The cell as JSON would have it; what is no whole number stays text, for the contract to refuse."""
    if column == "title":
        return cell or None
    return int(cell) if _WHOLE_NUMBER.fullmatch(cell.strip()) else cell
