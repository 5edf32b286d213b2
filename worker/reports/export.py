"""Tables for programs: CSV and JSON, with the same values."""

import csv
import json
import re
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any
from unicodedata import category

from worker.reports.table import Report, Table, Value

_SIGNS = "=+@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207a-\u207c\u208a-\u208c\u2212-"
"""What a formula begins with: plain, full-width, small, raised, lowered. The last one is the plain minus."""

_SKIPPED = (
    r"\s\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffd\U000e0000-\U000e0fff"
    r"\"'`\u2018-\u201f\xab\xbb\u2039\u203a\uff02\uff07"
)
"""What may stand before it and get lost on the way into a spreadsheet: white space, the invisible, quotation marks."""

_FORMULA = re.compile(rf"[\t\r\n]|[{_SKIPPED}]*[{_SIGNS}]")
_LATER_FORMULA = re.compile(rf"([;\t\r\n])((?:(?![\t\r\n])[{_SKIPPED}])*[{_SIGNS}])")
"""Where a reader that parts cells otherwise than we do would begin one."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Stands in CSV where a title has a control character, which a terminal might obey."""


BYTE_ORDER_MARK = "\ufeff"
"""Without it before them, spreadsheets take the bytes of UTF-8 for those of a code page."""


def as_csv(table: Table, *, for_spreadsheet: bool = False) -> str:
    """The table under the names of its columns, as RFC 4180 has it; for a spreadsheet with a byte order mark before it.

    Text that a spreadsheet would take for a formula has an apostrophe before it: titles are written by strangers.
    """
    written = StringIO()
    written.write(BYTE_ORDER_MARK if for_spreadsheet else "")
    writer = csv.writer(written)
    writer.writerow(_cell(column.name) for column in table.columns)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return written.getvalue()


def as_json(report: Report, table: Table | None = None) -> str:
    """One table, or all of the report; whose it is and as of when."""
    found = _content(table) if table else {"tables": [_content(each) for each in report.tables]}
    return json.dumps(_head(report) | found, indent=2, ensure_ascii=False) + "\n"


def _head(report: Report) -> dict[str, Any]:
    return {"subject": report.subject, "id": report.id, "as_of": _plain(report.as_of)}


def _content(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "description": table.description,
        "columns": [{"name": each.name, "title": each.title, "kind": each.kind.value} for each in table.columns],
        "rows": [{name: _plain(value) for name, value in row.items()} for row in table.records()],
    }


def _plain(value: Value) -> str | int | float | None:
    """Times and dates as RFC 3339 writes them, exact decimals as numbers."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _cell(value: Value) -> str | int | float | None:
    plain = _plain(value)
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, str):
        plain = "".join(REPLACEMENT if category(each) == "Cc" and each not in "\t\r\n" else each for each in plain)
        defused = _LATER_FORMULA.sub(r"\1'\2", plain)
        return f"'{defused}" if _FORMULA.match(plain) else defused
    return plain
