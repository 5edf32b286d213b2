"""Read the rows of a CSV file separated by commas, semicolons or tabs."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO

from worker.errors import InputError

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_DECLARED = re.compile(r'"?sep=([,;\t])"?[,;\t]*\s*')

Row = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class Header:
    """What the first row has to be."""

    accepts: Callable[[frozenset[str]], bool]
    """Whether these are the names of the columns, in any order."""
    otherwise: str
    """The end of the sentence `'…' is …` about a first row that it does not accept, and what to write instead."""


def csv_rows(text: str, name: str, expected: Header) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row's place in the file and its cells by column; missing cells are left out.

    Raises InputError for the first error.
    """
    delimiter = next((each for each in _DELIMITERS if _columns(_first_row(text, each), expected)), ",")
    rows = _rows(text, name, delimiter)
    place, header = next(rows)
    if _is_declaration(header, delimiter):
        place, header = next(rows, (place, header))
    columns = _columns(header, expected)
    if not columns:
        raise InputError(f"{name}, {place}: {delimiter.join(header)[:50]!r} is {expected.otherwise}")
    for place, cells in rows:
        while len(cells) > len(columns) and not cells[-1].strip():
            cells.pop()
        if len(cells) > len(columns):
            raise InputError(
                f"{name}, {place}: {len(cells)} cells under {len(columns)} columns. "
                f"Put a title that contains a {_DELIMITERS[delimiter]} in double quotes."
            )
        yield place, dict(zip(columns, cells, strict=False))


def _first_row(text: str, delimiter: str) -> list[str]:
    """Return the row that may be the header."""
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return next((row for row in rows if any(each.strip() for each in row) and not _is_declaration(row, delimiter)), [])


def _is_declaration(row: list[str], delimiter: str) -> bool:
    """Return whether the row is the `sep=;` that some spreadsheets write before the header."""
    return _DECLARED.fullmatch(delimiter.join(row)) is not None


def _columns(header: list[str], expected: Header) -> list[str]:
    """Return the normalized names of the columns; none if this is not the header."""
    columns = ["_".join(re.split(r"[\s_-]+", cell.strip().lower())) for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    distinct = frozenset(columns)
    return columns if expected.accepts(distinct) and len(distinct) == len(columns) else []


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
