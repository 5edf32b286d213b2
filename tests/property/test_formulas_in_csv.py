"""Whatever a title is, no spreadsheet takes a cell of an export for a formula, however it parts the cells."""

import csv
import re
from dataclasses import replace
from io import StringIO
from unicodedata import category, normalize

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.reports import course
from worker.reports.course_report import course_report
from worker.reports.export import as_csv
from worker.reports.table import Column, Kind, Table, Value

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫⁺⁼₋−"  # noqa: RUF001 - they are what this is about
QUOTES = "\"'`‘’‚‛“”„‟«»‹›＂＇"  # noqa: RUF001 - the same
FILLERS = "\u115f\u1160\u2800\u3164\uffa0\ufe0f\u034f\ufffd"
BLANK = "\t\r\n \xa0\u3000\u2028\u200b\u200d\u2060\ufeff\xad\x00\x1b" + QUOTES + FILLERS
before = st.text(st.sampled_from(BLANK))
formulas = st.builds("".join, st.tuples(before, st.sampled_from(SIGNS), st.text(max_size=8)))
titles = st.builds(
    "".join, st.lists(st.sampled_from(["", ";", "a;", "\n", "\t", "One"]) | formulas | st.text(max_size=4))
)


def is_formula(cell: str) -> bool:
    """Written otherwise than the code: the first thing to be seen in the cell, in its plainest form."""
    for each in cell:
        if category(each) in {"Cc", "Zs", "Zl", "Zp"} or each in BLANK:
            continue
        return normalize("NFKC", each) in {"=", "+", "-", "@", "−"}  # noqa: RUF001 - the mathematical minus
    return False


@given(title=titles)
@example(title="\n=1+1")
@example(title="＝1+1")  # noqa: RUF001
@example(title="\ufeff \u200b@x")
@example(title="a;=1+1")
def test_no_cell_begins_a_formula(title: str) -> None:
    found = course()
    table = course_report(replace(found, lessons=[replace(found.lessons[0], title=title)])).table("lessons")
    text = as_csv(table)
    (row,) = csv.DictReader(StringIO(text, newline=""))
    cell = row["title"]
    assert cell.startswith("'") or not is_formula(cell)
    assert not cell.startswith(("\t", "\r", "\n"))
    for part in re.split(r"[;\t\r\n]", cell):
        assert part.startswith("'") or not is_formula(part)
    shown = "".join("\ufffd" if category(each) == "Cc" and each not in "\t\r\n" else each for each in title)
    assert cell.replace("'", "") == shown.replace("'", ""), "nothing is lost, and nothing but apostrophes is added"
    assert row["lesson_id"] == str(table.records()[0]["lesson_id"])


@given(title=st.text(st.sampled_from("abcÄß漢字 1=+-@.,:!?()"), max_size=12).map(lambda text: f"A{text}"))
def test_a_plain_title_stays_as_it_is(title: str) -> None:
    (row,) = csv.DictReader(StringIO(as_csv(table_of(title)), newline=""))
    assert row["title"] == title


@given(number=st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-9, 9, places=2))
def test_a_number_stays_a_number(number: float) -> None:
    (row,) = csv.DictReader(StringIO(as_csv(table_of(number)), newline=""))
    assert float(row["title"]) == float(number)


@given(name=formulas)
def test_no_heading_begins_a_formula(name: str) -> None:
    heading = next(
        csv.reader(StringIO(as_csv(Table("t", "T", "T.", (Column(name, "N", Kind.TEXT, str),), [])), newline=""))
    )
    assert heading[0].startswith("'")


def table_of(value: Value) -> Table[Value]:
    return Table("t", "T", "T.", (Column("title", "Title", Kind.TEXT, lambda row: row),), [value])
