"""CSV and JSON carry the same values as the tables, and no formula of a stranger's."""

import csv
import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from tests.support.reports import course, empty_course, learner, new_learner
from worker.reports.course_report import course_report
from worker.reports.export import as_csv, as_json
from worker.reports.learner_report import learner_report
from worker.reports.table import Column, Kind, Report, Table

REPORTS = [
    course_report(course()),
    course_report(empty_course()),
    learner_report(learner()),
    learner_report(new_learner()),
]


def read_back(text: str, kind: Kind, unit: str | None) -> Any:
    """What a cell says, by its column's kind."""
    kind = Kind(unit) if kind is Kind.MIXED and unit else kind
    if text == "":
        return None
    if kind is Kind.FLAG:
        return {"true": True, "false": False}[text]
    if kind is Kind.TIME:
        return datetime.fromisoformat(text)
    if kind is Kind.DATE:
        return date.fromisoformat(text)
    return text if kind in {Kind.TEXT, Kind.CODE} else float(text)


def number(value: Any) -> Any:
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


@pytest.mark.parametrize("report", REPORTS)
def test_csv_reads_back_as_the_table(report: Report) -> None:
    for table in report.tables:
        names, *rows = csv.reader(StringIO(as_csv(table), newline=""))
        assert names == [column.name for column in table.columns]
        kinds = [column.kind for column in table.columns]
        units = [dict(zip(names, row, strict=True)).get("unit") for row in rows]
        read = [
            [read_back(text, kind, unit) for text, kind in zip(row, kinds, strict=True)]
            for row, unit in zip(rows, units, strict=True)
        ]
        assert read == [[number(value) for value in record.values()] for record in table.records()]


@pytest.mark.parametrize("report", REPORTS)
def test_json_has_the_values_of_csv_and_says_whose_they_are(report: Report) -> None:
    found = json.loads(as_json(report))
    assert (found["subject"], found["id"]) == (report.subject, report.id)
    assert found["pending"] == report.pending
    assert found["as_of"] == (report.as_of.isoformat().replace("+00:00", "Z") if report.as_of else None)
    for table, each in zip(report.tables, found["tables"], strict=True):
        assert json.loads(as_json(report, table)) == {
            "subject": report.subject,
            "id": report.id,
            "as_of": found["as_of"],
            "pending": report.pending,
            **each,
        }
        assert (each["name"], each["description"]) == (table.name, table.description)
        assert [column["name"] for column in each["columns"]] == [column.name for column in table.columns]
        cells = [[_as_cell(value) for value in row.values()] for row in each["rows"]]
        assert cells == list(csv.reader(StringIO(as_csv(table), newline="")))[1:]


def _as_cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\ufeff=", " ="])
def test_a_title_is_no_formula(start: str) -> None:
    title = f'{start}HYPERLINK("x")'
    found = course_report(_titled(title)).table("lessons")
    (row,) = csv.DictReader(StringIO(as_csv(found), newline=""))
    assert row["title"] == f"'{title}"
    assert json.loads(as_json(course_report(_titled(title)), found))["rows"][0]["title"] == title


def test_a_negative_number_is_no_text() -> None:
    column: Column[int] = Column("number", "Number", Kind.COUNT, lambda row: row)
    assert as_csv(Table("t", "T", "T.", (column,), [-1])).splitlines()[1] == "-1"


def _titled(title: str) -> Any:
    found = course()
    return replace(found, lessons=[replace(found.lessons[0], title=title)])


def test_where_a_comma_is_the_decimal_sign_cells_end_at_semicolons() -> None:
    table = course_report(course()).table("time-spent")
    names, *rows = csv.reader(StringIO(as_csv(table, decimal_comma=True), newline=""), delimiter=";")
    points = list(csv.DictReader(StringIO(as_csv(table), newline="")))
    assert [dict(zip(names, row, strict=True)) for row in rows] == [
        {name: value.replace(".", ",") if name != "title" else value for name, value in row.items()} for row in points
    ]
    assert any("," in value for row in rows for value in row)


def test_a_byte_order_mark_stands_before_csv_on_request() -> None:
    table = course_report(course()).table("lessons")
    assert as_csv(table, for_spreadsheet=True) == "\ufeff" + as_csv(table)
    assert as_csv(table)[0] != "\ufeff"
