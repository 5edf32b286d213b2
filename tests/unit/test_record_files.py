"""The records of a file: in JSON of any layout, in logs and in tables, with torn lines that cost only themselves."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.commands import invoke
from worker.adapters.formats import FORMATS
from worker.cli.json_documents import json_documents
from worker.cli.publish import FORMAT_NAMES
from worker.cli.translated_records import TranslatedRecords
from worker.contract.connection import Connection
from worker.errors import InputError

Read = Callable[..., list[Any]]
HEADER = b"learner,course,lesson,viewed_at\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads the records of a file with this content, of a table by default; unreadable ones as (bytes, reason)."""

    def read(content: bytes, format_name: str = "csv") -> list[Any]:
        (tmp_path / "file").write_bytes(content)
        records = TranslatedRecords(str(tmp_path / "file"), format_name, Connection(name="lms"))
        try:
            return [(record, refused.reason) if refused else record for record, refused in records._found()]
        finally:
            records.close()

    return read


def kept(row: str) -> dict[str, str]:
    """A row that could not be read, as it is kept."""
    return {"header": HEADER.decode().strip(), "row": row}


def documents(text: str) -> list[Any]:
    found = json_documents(text.encode().splitlines(keepends=True))
    return [("torn", document) if refused else document for document, refused in found]


A: dict[str, Any] = {"a": [1, {"b": '}{[\\" '}]}
B: dict[str, Any] = {"c": {}, "d": []}
LINES = f"{json.dumps(A)}\n{json.dumps(B)}\n"
PRETTY = json.dumps(A, indent=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LINES, [A, B]),
        (f"\ufeff\n{LINES}\n\n", [A, B]),
        (json.dumps([A, B]), [[A, B]]),
        (json.dumps([A, B], indent=4), [[A, B]]),
        (f"[\n{json.dumps(A)},\n{json.dumps(B)}\n]\n", [[A, B]]),
        (f"[{json.dumps(A)}, \n {json.dumps(B)}]", [[A, B]]),
        (f"[{json.dumps(A)}\n,{json.dumps(B)}]", [[A, B]]),
        (f"{PRETTY}\n{json.dumps(B, indent=0)}\n{LINES}", [A, B, A, B]),
        (f"Aug 22 20:16 lms [service=lms] - {json.dumps(A)}\n[2024-01-01] {json.dumps(B)}", [A, B]),
        ("", []),
        ('{"a": 1, "b\n' + LINES, [("torn", b'{"a": 1, "b'), A, B]),
        ('{"a": 1,\n' + LINES, [("torn", b'{"a": 1,'), A, B]),
        (f'{LINES}{{"a": {{', [A, B, ("torn", b'{"a": {')]),
        (f'{LINES}Aug 22 {{"a":\nAug 23 {json.dumps(A)}', [A, B, ("torn", b'Aug 22 {"a":'), A]),
        (f'[{{"a": 1}},\n[{json.dumps(B)}]\n', [("torn", b'[{"a": 1},'), [B]]),
        (f"{PRETTY[:-2]}\n{LINES}", [("torn", PRETTY[:-2].strip().encode()), A, B]),
        (f"nonsense\n}}\n{LINES}", [("torn", b"nonsense"), ("torn", b"}"), A, B]),
        ('{"a": "\\ud800"}', [{"a": "\ud800"}]),
        ("[" * 100_000, [("torn", b"[" * 100_000)]),
    ],
    ids=range(19),
)
def test_documents_of_any_layout_are_found_and_torn_lines_cost_only_themselves(text: str, expected: list[Any]) -> None:
    assert documents(text) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(max_size=3), JSON, max_size=3)), st.sampled_from([None, 1, 2, "\t"]))
def test_objects_one_after_the_other_are_found_however_they_are_indented(each: list[Any], indent: Any) -> None:
    assert documents("\n".join(json.dumps(one, indent=indent) for one in each)) == each


@given(st.binary(max_size=200))
def test_any_bytes_are_documents_or_torn_lines(content: bytes) -> None:
    found = json_documents(content.splitlines(keepends=True))
    assert all(refused is None or isinstance(document, bytes) for document, refused in found)


def test_a_document_that_is_too_long_to_hold_is_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.cli.json_documents.MAX_BYTES", 100)
    with pytest.raises(InputError, match="Write one record per line"):
        read(b"[\n" + b'  {"a": 1},\n' * 100, "xapi")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_table_has_rows_by_its_header(read: Read, delimiter: str, ending: str) -> None:
    header = ["\ufefflearner", " course", "lesson", "viewed_at"]
    lines = [header, ["7", "c", '"a ""b"", c; d\n\te"', "é"], ["8", "", ""], []]
    content = "".join(delimiter.join(line) + ending for line in lines).encode()
    rows = [
        {"learner": "7", "course": "c", "lesson": 'a "b", c; d\n\te', "viewed_at": "é"},
        {"learner": "8", "course": "", "lesson": ""},
    ]
    assert read(content) == read(gzip.compress(content)) == rows


def test_rows_that_cannot_be_read_cost_only_themselves(read: Read) -> None:
    rows = b'1,c,"l,2024\n2,c,l,2024\n3,c,"l"x,2024\n4,c,M\xfcller,2024\n5,c,l,2024,more\n6,c,l,2024,,\n"7,c\n8,c'
    assert read(HEADER + rows) == [
        (kept('1,c,"l,2024'), "bad_row"),
        {"learner": "2", "course": "c", "lesson": "l", "viewed_at": "2024"},
        (kept('3,c,"l"x,2024'), "bad_row"),
        (kept("4,c,M\ufffdller,2024"), "not_utf8"),
        (kept("5,c,l,2024,more"), "bad_row"),
        {"learner": "6", "course": "c", "lesson": "l", "viewed_at": "2024"},
        (kept('"7,c'), "bad_row"),
        (kept("8,c"), "bad_row"),
    ]


def test_a_row_that_was_refused_is_read_again_with_its_header_once_it_is_corrected(read: Read) -> None:
    row = {"learner": "5", "course": "c", "lesson": "l", "viewed_at": "2024"}
    (refused, reason), _ = read(HEADER + b"5,c,l,2024,more\n5,c,l,2024\n")
    assert (refused, reason) == (kept("5,c,l,2024,more"), "bad_row")
    assert read(json.dumps(refused).encode()) == [(refused, reason)]
    corrected = json.dumps(refused).replace(",more", "")
    assert read(f"{corrected}\n{json.dumps(row)}\n".encode()) == [row, row]
    damaged = kept("5,c,M\ufffdller,2024")
    assert read(json.dumps(damaged).encode()) == [(damaged, "not_utf8")], "or it would have that name"
    tabs = {"header": kept("")["header"].replace(",", "\t"), "row": "\t5\tc\tl\t2024"}
    assert read(f"{tabs['header']}\n{tabs['row']}\n".encode()) == [(tabs, "bad_row")]
    assert read(json.dumps([kept("5,c,l,2024\n5,c,l,2024\n")]).encode()) == [row, row]


def test_columns_without_effect_are_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"Learner,course,lesson,viewed_at,Grade,,topic\n")
    result = invoke({}, "publish", str(file), "--format", "csv", "--connection", "lms", "--dry-run")
    assert "Columns not used: Grade." in result.stdout
    file.write_bytes(b"username,channel id,content id,time of first interaction,progress\n")
    result = invoke({}, "publish", str(file), "--format", "kolibri", "--connection", "lms", "--dry-run")
    assert "not used" not in result.stdout


def test_a_quotation_mark_that_is_never_closed_in_a_long_table_costs_its_line(read: Read) -> None:
    rows = b"2,c,l,2024\n" * 50_000
    found = read(HEADER + b'1,"c,l,2024\n' + rows)
    assert len(found) == 50_001
    assert found[0] == (kept('1,"c,l,2024'), "bad_row")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"user,course,when\n1,2,3\n", r"line 1: the header has no column learner, lesson\. The table needs"),
        (
            b"learner,course,lesson,when\n",
            "of times.* needs viewed_at, or completed_at, or status and time",
        ),
        (b"learner,course,lesson,status\n", "has no column of times"),
        (HEADER.decode().encode("utf-16"), "UTF-16"),
        ("learner,course,lesson,Überschrift\n".encode("latin-1"), "not UTF-8"),
        (b"\x00\xff\n", "not UTF-8"),
    ],
    ids=["columns", "no time", "a status without time", "UTF-16", "Latin-1", "binary"],
)
def test_a_table_that_is_none_is_refused_at_its_header(read: Read, content: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read(content)


def test_rows_may_come_as_json_as_dead_letters_export_writes_them(read: Read) -> None:
    row = {"learner": "7"}
    lines = [json.dumps(row), json.dumps("8,c"), json.dumps(json.dumps(row))]
    assert read("\n".join(lines).encode()) == [row, (b"8,c", "not_json"), row]
    assert read("\n".join(reversed(lines)).encode()) == [row, (b"8,c", "not_json"), row]


def test_a_line_of_an_export_without_its_records_is_refused(read: Read) -> None:
    with pytest.raises(InputError, match="--records"):
        read(b'{"dead_letter_id":1,"event":{}}\n')


def test_an_empty_file_has_no_records(read: Read) -> None:
    assert read(b"") == read(b"\n\n") == read(b"", "xapi") == []


def test_the_help_names_the_formats() -> None:
    assert ", ".join(FORMATS) == FORMAT_NAMES
