"""Tables for programs: CSV and JSON, with the same values."""

import csv
import json
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any
from unicodedata import category

from worker.report.table import Report, Table, Value

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for that begins so."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""Stands in CSV where a title has a control character, which a terminal might obey."""


def as_csv(table: Table) -> str:
    """The table under the names of its columns, as RFC 4180 has it.

    Text that a spreadsheet would take for a formula has an apostrophe before it: titles are written by strangers.
    """
    written = StringIO()
    writer = csv.writer(written)
    writer.writerow(column.name for column in table.columns)
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
        return f"'{plain}" if plain.startswith(_FORMULAS) else plain
    return plain
