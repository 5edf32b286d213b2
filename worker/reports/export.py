"""CSV and JSON exports of tables, with the same values."""

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
"""Characters that begin a formula: plain, full-width, small, raised, lowered. The last one is the plain minus."""

_SKIPPED = (
    r"\s\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffd\U000e0000-\U000e0fff"
    r"\"'`\u2018-\u201f\xab\xbb\u2039\u203a\uff02\uff07"
)
"""Characters before it that an import may drop: white space, invisible ones, quotation marks."""

_FORMULA = re.compile(rf"[\t\r\n]|[{_SKIPPED}]*[{_SIGNS}]")
_LATER_FORMULA = re.compile(rf"([;\t\r\n])((?:(?![\t\r\n])[{_SKIPPED}])*[{_SIGNS}])")
"""A formula for readers that separate cells differently."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Replaces control characters in CSV, which a terminal might obey."""

BYTE_ORDER_MARK = "\ufeff"
"""Without it, spreadsheets read UTF-8 as a code page."""


def as_csv(table: Table[Any], *, for_spreadsheet: bool = False, decimal_comma: bool = False) -> str:
    """Return the table as RFC 4180 CSV with a header row; for a spreadsheet, after a byte order mark.

    With a decimal comma, cells are separated by semicolons: Excel expects both or neither, by the user's region.
    Text that a spreadsheet would take for a formula gets an apostrophe in front, since titles are untrusted.
    """
    written = StringIO()
    written.write(BYTE_ORDER_MARK if for_spreadsheet else "")
    writer = csv.writer(written, delimiter=";" if decimal_comma else ",")
    writer.writerow(_cell(column.name) for column in table.columns)
    for record in table.records():
        cells = map(_cell, record.values())
        writer.writerow(map(_with_decimal_comma, cells) if decimal_comma else cells)
    return written.getvalue()


def as_json(report: Report, table: Table[Any] | None = None) -> str:
    """Return one table or the whole report, with its subject and how current it is."""
    found = _content(table) if table else {"tables": [_content(each) for each in report.tables]}
    return json.dumps(_head(report) | found, indent=2, ensure_ascii=False) + "\n"


def _head(report: Report) -> dict[str, Any]:
    return {"subject": report.subject, "id": report.id, "as_of": _plain(report.as_of), "pending": report.pending}


def _content(table: Table[Any]) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "description": table.description,
        "columns": [{"name": each.name, "title": each.title, "kind": each.kind.value} for each in table.columns],
        "rows": [{name: _plain(value) for name, value in record.items()} for record in table.records()],
    }


def _plain(value: Value) -> str | int | float | None:
    """Return times and dates in RFC 3339, decimals as numbers."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _with_decimal_comma(cell: str | float | None) -> str | int | None:
    return str(cell).replace(".", ",") if isinstance(cell, float) else cell


def _cell(value: Value) -> str | int | float | None:
    plain = _plain(value)
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, str):
        plain = "".join(REPLACEMENT if category(each) == "Cc" and each not in "\t\r\n" else each for each in plain)
        defused = _LATER_FORMULA.sub(r"\1'\2", plain)
        return f"'{defused}" if _FORMULA.match(plain) else defused
    return plain
