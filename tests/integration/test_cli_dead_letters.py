"""`dead-letters` lists and shows what could not be applied, and tries it again."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import body, enrolled, entries, entry, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.tables import execute, rows
from worker.progress import redrive
from worker.progress.ingest import ingest

UNKNOWN_TYPE = (
    b'{"specversion":"1.0","id":"1","source":"/x","type":"lesson.liked","time":"2025-07-14T10:30:00Z","data":{}}'
)
HOSTILE = b'{"a":"\x1b]0;owned\x07"}'


def put(engine: Engine, contents: Sequence[bytes | None]) -> list[int]:
    """Have these entries set aside; their ids."""
    ingest(engine, [entry(content) for content in contents])
    return [row[0] for row in rows(engine, "SELECT id FROM dead_letter ORDER BY id")]


def test_letters_are_listed_oldest_first_in_pages(environment: dict[str, str], engine: Engine) -> None:
    for content in (b"oops", UNKNOWN_TYPE, b"oops", None):
        ids = put(engine, [content])
    shown = json.loads(invoke(environment, "dead-letters", "list", "--json").stdout)
    assert [each["id"] for each in shown] == ids
    assert [each["reason"] for each in shown] == ["invalid_json", "unknown_type", "invalid_json", "missing_field"]
    assert [each["bytes"] for each in shown] == [4, len(UNKNOWN_TYPE), 4, None]
    page = invoke(environment, "dead-letters", "list", "--limit", "2").stdout
    assert f"There are more: --after {ids[1]}" in page
    rest = invoke(environment, "dead-letters", "list", "--after", str(ids[1]))
    assert "There are more" not in rest.stdout
    assert "missing_field" in rest.stdout
    of_reason = json.loads(invoke(environment, "dead-letters", "list", "--reason", "invalid_json", "--json").stdout)
    assert [each["id"] for each in of_reason] == [ids[0], ids[2]]


def test_an_empty_list_says_so_and_a_reason_that_is_none_is_refused(environment: dict[str, str]) -> None:
    assert invoke(environment, "dead-letters", "list").stdout == "No dead letters.\n"
    result = invoke(environment, "dead-letters", "list", "--reason", "bad mood")
    assert result.exit_code == 2
    assert "unknown_enrollment" in result.stderr


def test_a_hostile_letter_is_shown_without_obeying_it(environment: dict[str, str], engine: Engine) -> None:
    (letter,) = put(engine, [HOSTILE])
    execute(engine, "UPDATE dead_letter SET stream = E'lesson\\x1b[2J'")
    for arguments in (["list"], ["show", str(letter)], ["show", str(letter), "--json"]):
        result = invoke(environment, "dead-letters", *arguments)
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.output
        assert "\x07" not in result.output
    assert r'{"a":"\x1b]0;owned\x07"}' in invoke(environment, "dead-letters", "show", str(letter)).stdout


@pytest.mark.parametrize("content", [HOSTILE, b"\xff\x00\xfe" * 5_000, b""])
def test_raw_gives_the_bytes_back_as_they_were_published(
    environment: dict[str, str], engine: Engine, content: bytes
) -> None:
    (letter,) = put(engine, [content])
    result = invoke(environment, "dead-letters", "show", str(letter), "--raw")
    assert result.stdout_bytes == content


def test_an_unknown_letter_is_told_so_and_nothing_is_tried(environment: dict[str, str], engine: Engine) -> None:
    (letter,) = put(engine, [body(viewed(5))])
    ingest(engine, [entry(enrolled(6))])
    for unknown in (str(letter + 1), str(2**63)):
        assert f"There is no dead letter {unknown}." in invoke(environment, "dead-letters", "show", unknown).stderr
        result = invoke(environment, "dead-letters", "redrive", str(letter), unknown)
        assert result.exit_code == 1
        assert f"There is no dead letter {unknown}" in result.stderr
    assert rows(engine, "SELECT id FROM dead_letter") == [(letter,)]


def test_redrive_tells_applied_there_already_and_still_refused(environment: dict[str, str], engine: Engine) -> None:
    first, again = viewed(5), viewed(5, lesson_id=2)
    stranger = body(viewed(6))
    put(engine, [body(first), body(again), stranger, b"oops"])
    execute(engine, "INSERT INTO user_course (id, user_id, course_id) VALUES (5, 7, 3)")
    ingest(engine, [entry(again)])
    result = invoke(environment, "dead-letters", "redrive", "--all")
    assert result.exit_code == 0, result.output
    left = [each for (each,) in rows(engine, "SELECT id FROM dead_letter ORDER BY reason")]
    assert result.stdout.splitlines() == [
        "applied: 1",
        "already recorded: 1",
        "still refused: 2",
        f"  invalid_json: 1 (ids {left[0]})",
        f"  unknown_enrollment: 1 (ids {left[1]})",
    ]
    assert rows(engine, "SELECT body FROM dead_letter ORDER BY reason") == [(b"oops",), (stranger,)]


def test_redrive_takes_only_what_was_chosen(environment: dict[str, str], engine: Engine) -> None:
    for content in (body(viewed(5)), b"oops", body(viewed(5, lesson_id=2)), body(viewed(5, lesson_id=3))):
        ids = put(engine, [content])
    execute(engine, "INSERT INTO user_course (id, user_id, course_id) VALUES (5, 7, 3)")
    assert "applied: 0" in invoke(environment, "dead-letters", "redrive", "--reason", "invalid_json").stdout
    assert "applied: 1" in invoke(environment, "dead-letters", "redrive", str(ids[2]), str(ids[2])).stdout
    assert rows(engine, "SELECT id FROM dead_letter ORDER BY id") == [(ids[0],), (ids[1],), (ids[3],)]


def test_an_enrollment_that_is_redriven_brings_what_was_parked_for_it(
    environment: dict[str, str], engine: Engine
) -> None:
    enrollment, activity = enrolled(5), viewed(5)
    ingest(engine, entries([activity]))
    (entry_of_enrollment,) = entries([enrollment])
    execute(
        engine,
        "INSERT INTO dead_letter (stream, entry_id, reason, detail, body) "
        "VALUES (:stream, :id, 'data_error', '', :body)",
        stream=entry_of_enrollment.stream,
        id=entry_of_enrollment.id,
        body=entry_of_enrollment.body,
    )
    result = invoke(environment, "dead-letters", "redrive", "--reason", "data_error")
    assert "applied: 1" in result.stdout
    assert "applied as their enrollment arrived: 1" in result.stdout
    assert_tables_equal_model(engine, [enrollment, activity])


def test_more_letters_than_a_page_are_each_tried_once(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "PAGE", 3)
    put(engine, [body(viewed(5, lesson_id=number)) if number % 2 else b"oops" for number in range(1, 11)])
    execute(engine, "INSERT INTO user_course (id, user_id, course_id) VALUES (5, 7, 3)")
    result = invoke(environment, "dead-letters", "redrive", "--all")
    ids = ", ".join(str(each) for (each,) in rows(engine, "SELECT id FROM dead_letter ORDER BY id"))
    refused = ["still refused: 5", f"  invalid_json: 5 (ids {ids})"]
    assert result.stdout.splitlines() == ["applied: 5", "already recorded: 0", *refused]


def test_delete_takes_what_was_chosen_and_only_after_a_yes(environment: dict[str, str], engine: Engine) -> None:
    for content in (b"oops", UNKNOWN_TYPE, body(viewed(5)), b"oops", b"oops"):
        ids = put(engine, [content])
    refused = invoke(environment, "dead-letters", "delete", "--all")
    assert (refused.exit_code, "Delete 5 dead letters for good?" in refused.stdout) == (1, True)
    assert len(rows(engine, "SELECT FROM dead_letter")) == 5
    assert "deleted: 1" in invoke(environment, "dead-letters", "delete", str(ids[0]), str(ids[0]), "--yes").stdout
    assert invoke(environment, "dead-letters", "delete", str(ids[0]), str(ids[1]), "--yes").exit_code == 1
    assert invoke(environment, "dead-letters", "delete", "--yes").exit_code == 2
    assert "deleted: 2" in invoke(environment, "dead-letters", "delete", "--reason", "invalid_json", "--yes").stdout
    assert rows(engine, "SELECT reason FROM dead_letter ORDER BY id") == [("unknown_type",), ("unknown_enrollment",)]
    assert "deleted: 2" in invoke(environment, "dead-letters", "delete", "--all", "--yes").stdout
    assert rows(engine, "SELECT FROM dead_letter") == []


def test_delete_goes_page_by_page(environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redrive, "PAGE", 3)
    put(engine, [b"oops"] * 10)
    assert "deleted: 10" in invoke(environment, "dead-letters", "delete", "--all", "--yes").stdout
    assert rows(engine, "SELECT FROM dead_letter") == []


def test_a_reader_that_leaves_early_is_no_error(environment: dict[str, str], engine: Engine) -> None:
    put(engine, [b"oops"] * 3)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        listing = subprocess.run(
            [sys.executable, "-m", "worker.cli.main", "dead-letters", "list"],
            env=environment,
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert listing.stderr == b""
