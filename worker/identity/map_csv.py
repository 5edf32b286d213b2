"""Read names and their numbers from CSV, a line at a time."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from worker.contract.id_ranges import MAX_ID, MAX_LESSON_ID
from worker.contract.value_types import MAX_NAME_BYTES, is_name
from worker.errors import InputError

REQUIRED, OPTIONAL = ("kind", "source", "key", "id"), ("course_id", "topic_id")
_DELIMITERS = (",", ";", "\t")
_EXAMPLE = "kind,source,key,id,course_id,topic_id"
_NEEDED = {"user": (), "course": (), "topic": ("course_id",), "lesson": ("course_id", "topic_id")}
_LARGEST = {"user": MAX_ID, "course": MAX_ID, "topic": MAX_LESSON_ID, "lesson": MAX_LESSON_ID}
_MAX_DIGITS = len(str(MAX_ID))


class NumberedName(NamedTuple):
    """A name, the number that it is to have, and the line that says so."""

    kind: str
    source: str
    key: str
    scope: int
    """The course of a topic or lesson, else 0."""
    id: int
    topic_id: int | None
    line: int


def read_names(text: Iterable[str], file: str) -> Iterator[NumberedName]:
    """Yield the names of a file, given its lines. Raises InputError for the first error, with `file` and the line."""
    lines = iter(text)
    line = 1
    try:
        header = next(lines, "")
        delimiter = max(_DELIMITERS, key=header.count)
        rows = csv.reader(chain([header], lines), delimiter=delimiter, skipinitialspace=True, strict=True)
        columns = _columns(next(rows, []), file)
        line = rows.line_num + 1
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield _name(columns, cells, line, f"{file}, line {line}")
            line = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f"{file}, line {line}: not CSV ({error}). Double any quote inside a quoted name.") from None
    except UnicodeDecodeError:
        raise InputError(
            f'{file}: not UTF-8 text near line {line}. Save it as UTF-8; in a spreadsheet choose "CSV UTF-8".'
        ) from None


def _columns(header: list[str], file: str) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    if missing := [column for column in REQUIRED if column not in columns]:
        raise InputError(
            f"{file}, line 1: no column {missing[0]}. The first line names the columns, in any order: {_EXAMPLE}"
        )
    for number, column in enumerate(columns):
        if column not in REQUIRED + OPTIONAL:
            raise InputError(f"{file}, line 1: unknown column {column[:50]!r}. The columns are {_EXAMPLE}")
        if column in columns[:number]:
            raise InputError(f"{file}, line 1: the column {column} is there twice.")
    return columns


def _name(columns: list[str], cells: list[str], line: int, place: str) -> NumberedName:
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        raise InputError(f"{place}: {len(cells)} cells under {len(columns)} columns. Put such a name in double quotes.")
    row = dict.fromkeys(REQUIRED + OPTIONAL, "") | dict(zip(columns, cells, strict=False))
    kind = row["kind"].strip()
    if kind not in _NEEDED:
        raise InputError(f"{place}: kind: {kind[:50]!r} is not one of {', '.join(_NEEDED)}.")
    for column in ("source", "key"):
        # The topic of lessons without one has the empty name.
        if not is_name(row[column]) and not (row[column] == "" and (kind, column) == ("topic", "key")):
            raise InputError(f"{place}: {column}: a name has 1 to {MAX_NAME_BYTES:,} bytes in UTF-8, none of them NUL.")
    for column in OPTIONAL:
        if row[column].strip() and column not in _NEEDED[kind]:
            raise InputError(f"{place}: {column}: a {kind} has none. Leave it empty.")
    needs = {column: _number(row, column, _LARGEST[column[:-3]], place) for column in _NEEDED[kind]}
    number = _number(row, "id", _LARGEST[kind], place)
    return NumberedName(kind, row["source"], row["key"], needs.get("course_id", 0), number, needs.get("topic_id"), line)


def _number(row: dict[str, str], column: str, largest: int, place: str) -> int:
    text = row[column].strip()
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and 1 <= int(text) <= largest:
        return int(text)
    what = f"a {row['kind'].strip()} needs one" if not text else f"{text[:50]!r} is not one"
    raise InputError(f"{place}: {column}: {what}. Give a whole number from 1 to {largest}.")
