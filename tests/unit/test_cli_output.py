"""What is printed garbles no terminal and shows no password."""

import sys
from io import BytesIO, TextIOWrapper

import pytest
from rich.console import Console

from worker.cli.dead_letters import SHOWN_BYTES, readable_body
from worker.cli.output import duration, new_facts, new_table, redacted, show, title
from worker.cli.plain_terminal import adapt, is_plain
from worker.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Ünïcødé 例", "plain, Ünïcødé 例"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("right-to-left \u202e override", r"right-to-left \u202e override"),
        ("lone \udcff surrogate", r"lone \udcff surrogate"),
        ("nul \x00", r"nul \x00"),
    ],
)
def test_what_a_terminal_might_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://lms:secret@db:5432/progress", "postgresql+psycopg://lms:***@db:5432/progress"),
        ("postgresql://lms:s@e:c/ret@db/progress", "postgresql://lms:***@db/progress"),
        ("postgresql://lms@/progress?host=/tmp&password=secret", "postgresql://lms@/progress?host=/tmp&password=***"),
        ("redis://:secret@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("redis://localhost?password=secret", "redis://localhost?password=***"),
        ("redis://:sec[ret@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert redacted(url) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (0, "0.0 s"), (119, "119.0 s"), (150, "2.5 min"), (9_000, "2.5 h"), (2e5, "2.3 d")],
)
def test_durations_are_given_in_the_unit_people_use(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_the_body_of_a_dead_letter_is_shown_as_text_with_escapes() -> None:
    assert readable_body('{"a": "é\x1b[2J"}\nnext'.encode()) == [r'{"a": "é\x1b[2J"}', "next"]


def test_a_body_that_is_no_text_is_shown_as_hex() -> None:
    assert readable_body(b"\xff\xfe\x00A") == ["The body is not UTF-8 text:", f"000000  {'ff fe 00 41':<47}  ...A"]


def test_a_long_body_is_cut_with_a_note_also_in_the_middle_of_a_character() -> None:
    body = b"x" * (SHOWN_BYTES - 1) + "é".encode() + b"y" * 9
    assert readable_body(body) == ["x" * (SHOWN_BYTES - 1), "… 10 more bytes; --raw writes them all."]


def test_an_entry_without_a_body_is_said_to_have_none() -> None:
    assert readable_body(None) == ["The entry has no field named event, or more than one."]


@pytest.mark.parametrize(
    ("environment", "plain"),
    [
        ({}, False),
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, True),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C", "PYTHONIOENCODING": "utf-8"}, False),
        ({"TERM": "dumb", "LANG": "C.UTF-8"}, True),
    ],
)
def test_a_terminal_is_plain_by_its_type_or_locale(environment: dict[str, str], plain: bool) -> None:
    assert is_plain(environment) is plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, "-"),
        ("", "-"),
        ("x" * 60, "x" * 60),
        ("x" * 61, f"{'x' * 59}…"),
        (f"{'x' * 58} {'y' * 9}", f"{'x' * 58}…"),
        ("\x1b", r"\x1b"),
    ],
)
def test_a_title_is_safe_and_of_readable_length(text: str | None, shown: str) -> None:
    assert title(text) == shown


def test_where_characters_are_escaped_a_table_is_as_wide_as_its_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = TextIOWrapper(written := BytesIO(), encoding="ascii")
    adapt(stream)
    monkeypatch.setattr(sys, "stdout", stream)
    table = new_table(None, "title", "visits")
    for name in ("\N{HEBREW LETTER SHIN}" * 5, "plain", title("x" * 99)):
        table.add_row(name, "7")
    Console(file=stream, width=100).print(table)
    stream.flush()
    cells = [line.split("|") for line in written.getvalue().decode().splitlines() if "| 7" in line]
    assert [len(title) for _, title, *_ in cells] == [len("x" * 59 + "... ")] * 3, cells


def test_facts_that_do_not_fit_are_names_and_values() -> None:
    table = new_facts("Lesson")
    table.add_row("known since", "W" * 99)
    table.add_row("status", "in_progress")
    screen = Console(width=50, record=True, file=TextIOWrapper(BytesIO(), encoding="utf-8"))
    screen.print(table)
    lines = screen.export_text().splitlines()
    assert lines[1].startswith("known since  WWWWWWWW")
    assert [line.split() for line in lines if "status" in line] == [["status", "in_progress"]]
    assert "value" not in "".join(lines)


def test_a_table_goes_nowhere_if_standard_output_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    table = new_table(None, "name")
    monkeypatch.setattr("sys.stdout", None)
    table.add_row("…")
    show(table)
