"""JSON lines: every line keeps its bytes, and the first that is no event is named."""

import gzip
from pathlib import Path

import pytest

from worker.cli.json_lines import JsonLines, Line
from worker.errors import InputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def lines_of(path: Path) -> list[Line]:
    lines = JsonLines(str(path))
    try:
        return list(lines)
    finally:
        lines.close()


def bodies(path: Path) -> list[bytes]:
    return [line.body for line in lines_of(path)]


def test_lines_keep_their_bytes(file: Path) -> None:
    file.write_bytes(b'{"a" : 1.0,"b":"\\u00e9"}\r\n\n  {"data":{}}  \n{"last":"line without newline"}')
    assert bodies(file) == [b'{"a" : 1.0,"b":"\\u00e9"}', b'{"data":{}}', b'{"last":"line without newline"}']


def test_a_gzipped_file_is_known_by_its_bytes_whatever_its_name(file: Path) -> None:
    file.write_bytes(gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"a":2}\n'))
    assert bodies(file) == [b'{"a":1}', b'{"a":2}']


def test_a_byte_order_mark_is_no_part_of_the_first_event(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf{"a":1}\n')
    assert bodies(file) == [b'{"a":1}']


def test_an_empty_file_has_no_events(file: Path) -> None:
    file.touch()
    assert bodies(file) == []


def test_each_line_goes_to_the_partition_of_its_enrollment_or_course(file: Path) -> None:
    file.write_text('{"data":{"user_course_id":11}}\n{"data":{"course_id":12}}\n{"data":{"user_course_id":"x"}}\n{}\n')
    assert [line.key for line in lines_of(file)] == [11, 12, None, None]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a":1}\n\n{"a":\n', "line 3: not JSON"),
        (b"[1]\n", "line 1: JSON, but not an object"),
        (b'{"a":"\xff"}\n', "line 1: not JSON"),
        (gzip.compress(b'{"a":1}\n' * 1_000)[:-10], r"line \d+: cannot be read"),
        (gzip.compress(b'{"a":1}\n')[:12] + b"\x00" * 20, "line 1: cannot be read"),
    ],
    ids=["torn", "a list", "not UTF-8", "gzip cut off", "gzip broken"],
)
def test_the_first_line_that_is_no_event_is_named_with_its_file(file: Path, content: bytes, problem: str) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"{file}, {problem}"):
        bodies(file)


def test_a_file_that_is_one_endless_line_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.cli.json_lines.LONGEST_LINE_BYTES", 10)
    file.write_bytes(b'{"a":1}\n' + b"x" * 11)
    with pytest.raises(InputError, match="line 2: longer than"):
        bodies(file)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.jsonl cannot be read: No such file or directory"):
        JsonLines(str(tmp_path / "absent.jsonl"))
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        JsonLines(str(tmp_path))


def test_a_closed_standard_input_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="Standard input is closed"):
        JsonLines("-")
