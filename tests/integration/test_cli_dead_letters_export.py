"""`dead-letters export`, a correction with common tools, and `redrive --file`: there and back."""

import gzip
import json
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke, run
from tests.support.events import as_json, body, completed, enrolled, entries, entry, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.tables import execute, rows
from worker.contract.entry import Entry
from worker.progress import dead_letters_in_bulk
from worker.progress.ingest import ingest
from worker.progress.stored_dead_letters import Selection

BYTES = {
    "not UTF-8": b"\xff\x00\xfe",
    "not JSON": b'{"id": "1", ',
    "a list": b"[1]",
    "empty": b"",
    "an object of an old format": b'{ "a" : 1e400 ,"n":12345678901234567890123, "a":"\\u00e9 \xc3\xa9"}',
    "NaN, which is not JSON": b'{"a":NaN}',
    "half of a character": b'{"a":"\\ud800"}',
    "nested too deeply": b"[" * 20_000,
    "a NUL": b"\x00",
}


def exported(environment: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    result = invoke(environment, "dead-letters", "export", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


def letters(engine: Engine) -> list[tuple[Any, ...]]:
    return rows(engine, "SELECT id, stream, entry_id, reason, detail, body, fields, created_at FROM dead_letter")


@pytest.mark.parametrize("case", BYTES)
def test_what_is_exported_and_not_changed_is_the_same_dead_letter(
    environment: dict[str, str], engine: Engine, tmp_path: Path, case: str
) -> None:
    ingest(engine, [entry(BYTES[case]), Entry("s", "1-1", None, (b"e\xff", b"\xfe", b"data", BYTES[case]))])
    before, file = letters(engine), tmp_path / "letters.jsonl"
    assert len(before) == 2
    assert invoke(environment, "dead-letters", "export", "-o", str(file)).exit_code == 0
    assert invoke(environment, "dead-letters", "redrive", "--file", str(file)).stdout.startswith("applied: 0\n")
    assert sorted(letters(engine)) == sorted(before)


def test_each_line_says_what_was_set_aside_and_why(environment: dict[str, str], engine: Engine) -> None:
    unparsed = b'{"a":\x1b}'
    contents: list[Any] = [viewed(5), b"\xff", unparsed, {**as_json(viewed(6)), "type": "lesson.liked"}, None]
    ingest(engine, [entry(each) for each in contents])
    found = exported(environment)
    listed = json.loads(invoke(environment, "dead-letters", "list", "--json").stdout)
    for line, letter in zip(found, listed, strict=True):
        assert line["dead_letter_id"] == letter["id"]
        assert {name: line[name] for name in letter.keys() & line.keys() - {"fields", "created_at"}} == {
            name: letter[name] for name in letter.keys() & line.keys() - {"fields", "created_at"}
        }
    assert found[0]["event"] == as_json(contents[0])
    assert found[1]["body_base64"] == b64encode(b"\xff").decode()
    assert found[2]["body"] == unparsed.decode()
    assert found[3]["event"] == contents[3]
    assert found[4]["body"] is None


def test_the_filters_choose_what_is_exported(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, [entry(viewed(5)), entry(b"oops"), entry(viewed(6))])
    ids = [row[0] for row in rows(engine, "SELECT id FROM dead_letter ORDER BY id")]
    execute(engine, "UPDATE dead_letter SET created_at = created_at - interval '1 day' WHERE reason = 'invalid_json'")
    [(now,)] = rows(engine, "SELECT max(created_at) - interval '1 hour' FROM dead_letter")

    def chosen(*arguments: str) -> list[int]:
        return [each["dead_letter_id"] for each in exported(environment, *arguments)]

    assert chosen() == ids
    assert chosen("--reason", "invalid_json") == [ids[1]]
    assert chosen("--enrollment", "6") == [ids[2]]
    assert chosen("--since", now.isoformat()) == [ids[0], ids[2]]
    assert chosen("--until", now.isoformat()) == [ids[1]]
    assert (
        chosen("--since", now.isoformat(), "--until", (now + timedelta(days=1)).isoformat(), "--reason", "data_error")
        == []
    )
    for arguments, code, message in (
        (("--since", "yesterday"), 1, "--since yesterday: give a time with an offset"),
        (("--until", "2025-07-14T10:30:00"), 1, "--until 2025-07-14T10:30:00: give a time with an offset"),
        (("--reason", "bad mood"), 2, "'bad mood' is not one of"),
    ):
        result = invoke(environment, "dead-letters", "export", *arguments)
        assert (result.exit_code, message in result.stderr) == (code, True), result.stderr


def test_corrected_events_are_applied_and_their_dead_letters_gone_however_often(
    environment: dict[str, str], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mended as an operator would: ids sent as text, a misspelt type, single quotes, the wrong field of the entry."""
    monkeypatch.setattr("worker.progress.redrive.PAGE", 3)
    enrollment = enrolled(1)
    ingest(engine, entries([enrollment]))
    good = [completed(1, 1, number, seconds=number) for number in range(1, 10)]
    text_ids = [json.dumps(as_json(each)).replace('"user_course_id": 1', '"user_course_id": "1"') for each in good[:5]]
    misspelt = body(good[5]).replace(b"lesson.completed", b"lesson.compleeted")
    quoted = json.dumps(as_json(good[6])).replace('"', "'")
    field = Entry("lesson-events", "5-5", None, (b"data", body(good[7])))
    pretty = json.dumps({**as_json(good[8]), "source": 7}, indent=1)
    wrong = [*[entry(each.encode()) for each in text_ids], entry(misspelt), entry(quoted.encode()), field]
    ingest(engine, [*wrong, entry(pretty.encode()), entry(b"hopeless")])
    file, mended = tmp_path / "letters.jsonl", tmp_path / "mended.jsonl.gz"
    assert invoke(environment, "dead-letters", "export", "--output", str(file)).exit_code == 0
    lines = []
    for raw in file.read_text().splitlines():
        line = json.loads(
            raw.replace('"user_course_id": "1"', '"user_course_id": 1').replace("compleeted", "completed")
        )
        if (line.get("body") or "").startswith("{'"):
            line["event"] = json.loads(line["body"].replace("'", '"'))
        if line.get("fields"):
            line["event"] = json.loads(line["fields"][0]["value"])
            del line["fields"]
        if line.get("event", {}).get("source") == 7:
            line["event"]["source"] = "/test"
        lines.append(json.dumps(line))
    mended.write_bytes(gzip.compress("\n".join(lines).encode()))
    first = invoke(environment, "dead-letters", "redrive", "--file", str(mended))
    [(left,)] = rows(engine, "SELECT id FROM dead_letter")
    refused = ["still refused: 1", f"  invalid_json: 1 (ids {left})"]
    assert first.stdout.splitlines() == ["applied: 9", "already recorded: 0", *refused]
    assert first.exit_code == 1
    both = invoke(environment, "dead-letters", "redrive", "--file", str(mended), "--reason", "invalid_json")
    assert "Give only one of --reason and --file." in both.stderr
    assert rows(engine, "SELECT body FROM dead_letter") == [(b"hopeless",)]
    execute(engine, "DELETE FROM dead_letter")
    again = run(environment, "dead-letters", "redrive", "--file", "-", given="\n".join(lines).encode())
    assert again.returncode == 0
    assert again.stdout.splitlines() == ["no longer there: 10", "applied: 0", "already recorded: 0", "still refused: 0"]
    execute(engine, "DELETE FROM dead_letter")
    assert_tables_equal_model(engine, [enrollment, *good])


def test_a_correction_that_is_refused_again_stays_with_its_new_bytes_and_reason(
    environment: dict[str, str], engine: Engine, tmp_path: Path
) -> None:
    ingest(engine, [entry(b"oops")])
    [line] = exported(environment)
    file = tmp_path / "letters.jsonl"
    file.write_text(json.dumps({**line, "event": {"type": "lesson.liked"}}))
    assert "  unknown_type: 1" in invoke(environment, "dead-letters", "redrive", "--file", str(file)).stdout
    assert rows(engine, "SELECT id, reason, body FROM dead_letter") == [
        (line["dead_letter_id"], "unknown_type", b'{"type": "lesson.liked"}')
    ]


def test_a_file_of_another_system_changes_nothing(environment: dict[str, str], engine: Engine, tmp_path: Path) -> None:
    ingest(engine, [entry(b"oops")])
    [line] = exported(environment)
    file = tmp_path / "letters.jsonl"
    file.write_text(json.dumps({**line, "entry_id": "1-1", "event": {}}))
    assert "no longer there: 1" in invoke(environment, "dead-letters", "redrive", "--file", str(file)).stdout
    assert rows(engine, "SELECT body FROM dead_letter") == [(b"oops",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1}', "line 2: not a line of `dead-letters export` (Object missing required field `dead_letter_id`)"),
        ('{"dead_letter_id": 0, "stream": "s", "entry_id": "1-1"}', "line 2: not a line of `dead-letters export` (Exp"),
        ("{\n", "line 2: not JSON"),
    ],
)
def test_a_line_that_is_none_is_named_and_what_stands_before_it_is_safe_to_repeat(
    environment: dict[str, str], engine: Engine, tmp_path: Path, content: str, message: str
) -> None:
    ingest(engine, [entry(b"oops")])
    [line] = exported(environment)
    file = tmp_path / "letters.jsonl"
    file.write_text(f"{json.dumps(line)}\n{content}")
    result = invoke(environment, "dead-letters", "redrive", "--file", str(file))
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    assert rows(engine, "SELECT body FROM dead_letter") == [(b"oops",)]


def test_a_file_that_cannot_be_written_is_named(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, [entry(b"oops")])
    result = invoke(environment, "dead-letters", "export", "-o", "/no/such/folder/letters.jsonl")
    assert (result.exit_code, "Cannot write '/no/such/folder/letters.jsonl'" in result.stderr) == (1, True)


def test_the_export_holds_a_bounded_part_at_a_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters_in_bulk, "CHUNK_BYTES", 100)
    sizes = [len(chunk) for chunk in dead_letters_in_bulk.chunks([10] * 25 + [500, 10], lambda each: each, 20)]
    assert sizes == [10, 10, 5, 1, 1]
    ingest(engine, [entry(b"x" * 60) for _ in range(5)])
    found = dead_letters_in_bulk.export_all(engine, Selection())
    assert [each.entry.body for each in found] == [b"x" * 60] * 5


def test_an_exported_file_that_is_published_by_mistake_is_refused(
    environment: dict[str, str], engine: Engine, tmp_path: Path
) -> None:
    ingest(engine, [entry(viewed(5))])
    file = tmp_path / "letters.jsonl"
    invoke(environment, "dead-letters", "export", "-o", str(file))
    result = invoke(environment, "publish", str(file))
    assert result.exit_code == 1
    assert f"line 1: a line of `dead-letters export`. Run `progress-worker dead-letters redrive --file {file}`" in (
        result.stderr.replace("\n", " ")
    )
