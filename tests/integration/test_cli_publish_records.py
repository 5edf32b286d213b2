"""`publish --format`: the records of an LMS become events on the streams, those rejected dead letters, and back."""

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke, run
from tests.support.hosts import RecordingHost
from tests.support.named import rows_by_name
from tests.support.own_servers import own_servers
from tests.support.streams import full
from tests.support.tables import execute, rows
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.consume.maintenance import maintain
from worker.contract.record_rejected import KEPT_BYTES
from worker.progress import expired_records
from worker.settings import Settings
from worker.streams import connection
from worker.streams.connection import Redis
from worker.streams.keys import Keys

DATA = Path(__file__).parents[1] / "data" / "lms"
HISTORY = DATA / "completions.csv"
EXPECTED = [json.loads(line) for line in (DATA / "completions.expected.jsonl").read_text("utf-8").splitlines()]
OPTIONS = ("--format", "csv", "--connection", "csv-test", "--timezone", "UTC")
NO_SERVERS = {"DATABASE_URL": "postgresql://nowhere.invalid/lms", "REDIS_URL": "redis://nowhere.invalid"}
LETTERS = "SELECT reason, detail FROM dead_letter ORDER BY id"


def published(redis: Redis, settings: Settings) -> list[dict[str, Any]]:
    """What is on the streams, one after the other."""
    its: list[Any] = [redis.xrange(stream) for stream in Keys.of(settings).streams]
    return [json.loads(fields[b"event"]) for entries in its for _, fields in entries]


def events(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((each["type"], each["data"]["learner"], each["data"]["lesson"], each["time"]) for each in found)


def closing_table(output: str) -> dict[tuple[str, str], int]:
    cells = [line.split() for line in output.splitlines()]
    return {
        (line[0], line[1]): int(line[2].replace(",", ""))
        for line in cells
        if line and line[0] in {"event", "ignored", "rejected"}
    }


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_a_table_becomes_events_and_its_unusable_rows_rejected_records(
    environment: dict[str, str], settings: Settings, redis: Redis, tmp_path: Path, packed: bool
) -> None:
    file = tmp_path / "history"
    file.write_bytes(gzip.compress(HISTORY.read_bytes()) if packed else HISTORY.read_bytes())
    result = invoke(environment, "publish", str(file), *OPTIONS)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Published 12 events and 5 rejected records in ")
    assert closing_table(result.stdout) == {
        ("event", "lesson.completed"): 9,
        ("event", "lesson.viewed"): 3,
        **{("rejected", each): 1 for each in ("bad_time", "missing_member", "no_course", "no_learner", "no_lesson")},
    }
    found = published(redis, settings)
    made = [each["event"] for each in EXPECTED if "event" in each]
    lesson_events = [each for each in found if each["type"] != "record.rejected"]
    assert [(each[0], each[1], each[2]) for each in events(lesson_events)] == sorted(
        (each["type"], each["learner"], each["lesson"]) for each in made
    )
    assert {each["source"] for each in found} == {"csv-test"}
    assert sorted(each["data"]["reason"] for each in found if each["type"] == "record.rejected") == sorted(
        each["rejected"] for each in EXPECTED if "rejected" in each
    )


def test_a_dry_run_prints_each_outcome_and_needs_no_server() -> None:
    result = invoke(NO_SERVERS, "publish", str(HISTORY), *OPTIONS, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    assert [json.loads(line) for line in result.stdout.splitlines()] == EXPECTED
    counted = invoke(NO_SERVERS, "publish", str(HISTORY), *OPTIONS, "--dry-run")
    assert counted.exit_code == 0, counted.output
    assert closing_table(counted.stdout)["event", "lesson.viewed"] == 3
    assert counted.stdout.endswith("Dry run: nothing was published.\n")


def test_one_of_each_is_no_plural(environment: dict[str, str]) -> None:
    row = b'{"learner": "7", "course": "c", "lesson": "l", "viewed_at": "%s"}\n'
    result = run(environment, "publish", "-", *OPTIONS, given=row % b"2024-09-03" + row % b"never")
    assert result.stdout.startswith("Published 1 event and 1 rejected record in ")
    result = run(environment, "publish", "-", *OPTIONS, given=row % b"2024-09-03")
    assert result.stdout.startswith("Published 1 event in ")
    assert "1 record of standard input" in result.stdout


def test_standard_input_and_a_document_over_lines_and_torn_lines(
    environment: dict[str, str], settings: Settings, redis: Redis
) -> None:
    row = {"learner": "7", "course": "c", "lesson": "l", "status": "completed", "time": "2024-09-03T08:00:00Z"}
    text = f'{json.dumps([row, row | {"status": "not started"}], indent=2)}\n{{"learner": "8\n{json.dumps(row)}\n'
    result = run(environment, "publish", "-", *OPTIONS, given=text.encode())
    assert result.returncode == 0, result.stderr
    assert closing_table(result.stdout) == {
        ("event", "lesson.completed"): 2,
        ("ignored", "not_started"): 1,
        ("rejected", "not_json"): 1,
    }
    found = published(redis, settings)
    (torn,) = (each for each in found if each["type"] == "record.rejected")
    first, again = (each for each in found if each != torn)
    assert first == again
    assert torn["data"] | {"detail": ""} == {
        "format": "csv",
        "reason": "not_json",
        "detail": "",
        "record": '{"learner": "8',
    }


def test_the_events_of_one_learner_are_on_one_stream_in_order_also_shuffled(
    environment: dict[str, str], settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    file = tmp_path / "history.csv"
    days = [f"2024-01-{day:02}" for day in range(1, 29)]
    file.write_text("learner;course;lesson;viewed_at\n" + "".join(f"{u};c;l;{d}\n" for d in days for u in range(9)))
    assert invoke(environment, "publish", str(file), *OPTIONS).exit_code == 0
    orders = []
    for stream in Keys.of(settings).streams:
        entries: Any = redis.xrange(stream)
        for learner in range(9):
            found = [json.loads(fields[b"event"]) for _, fields in entries]
            times = [each["time"][:10] for each in found if each["data"]["learner"] == f"user:{learner}"]
            orders += [times] if times else []
    assert orders == [days] * 9
    redis.delete(*Keys.of(settings).streams)
    assert invoke(environment, "publish", "--shuffle", str(file), *OPTIONS).exit_code == 0
    shuffled = published(redis, settings)
    assert len(shuffled) == 28 * 9
    assert [each["time"] for each in shuffled] != sorted(each["time"] for each in shuffled)


def test_a_file_that_breaks_off_is_published_up_to_there_and_counted(
    environment: dict[str, str], settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    row = b'{"learner":"%d","course":"c","lesson":"l","viewed_at":"2024-09-03"}\n'
    file = tmp_path / "history.jsonl.gz"
    file.write_bytes(gzip.compress(b"".join(row % number for number in range(5_000)))[:-2_000])
    result = invoke(environment, "publish", str(file), *OPTIONS)
    assert result.exit_code == 1
    count = len(published(redis, settings))
    assert 1_000 < count < 5_000
    assert closing_table(result.stdout) == {("event", "lesson.viewed"): count}
    assert f"The {count:,} events before it were published. Publish the whole file again" in result.stderr
    tried = invoke(NO_SERVERS, "publish", str(file), *OPTIONS, "--dry-run")
    assert tried.exit_code == 1
    assert closing_table(tried.stdout) == {("event", "lesson.viewed"): count}
    assert f"line {count + 1}: cannot be read" in tried.stderr
    assert tried.stderr.endswith(").\n")
    assert "Dry run" not in tried.stdout


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """The peak of a process that translates ten times the rows."""
    program = (
        "import sys; from click.testing import CliRunner; from worker.cli.main import main\n"
        f"assert CliRunner().invoke(main, ['publish', sys.argv[1], *{OPTIONS!r}, '--dry-run']).exit_code == 0\n"
        "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    )
    peaks = []
    for count in (2_000, 20_000):
        file = tmp_path / f"{count}.csv"
        lines = (f"{number},c,l,2024-01-01,{'x' * 500}\n" for number in range(count))
        file.write_text("learner,course,lesson,viewed_at,note\n" + "".join(lines))
        peaks.append(int(subprocess.check_output([sys.executable, "-c", program, str(file)])))
    assert peaks[1] - peaks[0] < 5_000, "the larger file has 10 MB more"


def test_a_full_redis_is_a_sentence_and_no_table_of_what_was_not_published(environment: dict[str, str]) -> None:
    with own_servers() as servers:
        there = {**environment, "REDIS_URL": servers.redis_url}
        redis = connection.connect(Settings(redis_url=servers.redis_url))
        with full(redis):
            result = invoke(there, "publish", str(HISTORY), *OPTIONS)
        redis.close()
    assert result.exit_code == 1
    assert "Publish the whole file again once that is fixed: nothing counts twice." in result.stderr
    assert not closing_table(result.stdout)


def test_a_history_published_twice_in_any_order_is_what_a_plain_fold_says(
    environment: dict[str, str], engine: Engine, consumer: Consumer, tmp_path: Path
) -> None:
    random = Random(19)
    rows_of_it, expected = [], dict[tuple[str, ...], list[list[datetime]]]()
    for _ in range(600):
        key = tuple(f"{kind}{random.randrange(5)}" for kind in ("user:u", "c", "l"))
        viewed, completed = (
            datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=random.randrange(99_999)) for _ in range(2)
        )
        given = random.choice([[viewed], [completed], [viewed, completed]])
        views, completions = expected.setdefault(key, [[], []])
        views += given
        completions += [completed] if completed in given else []
        times = [each.isoformat() if each in given else "" for each in (viewed, completed)]
        rows_of_it.append(",".join([key[0].removeprefix("user:"), *key[1:], *times]))
    file = tmp_path / "history.csv"
    file.write_text("\n".join(["learner,course,lesson,viewed_at,completed_at", *rows_of_it]), encoding="utf-8")
    for order in ([], ["--shuffle", "--seed", "5"]):
        assert invoke(environment, "publish", *order, str(file), *OPTIONS).exit_code == 0
        Drain(consumer, RecordingHost(), 1).run()
    assert rows_by_name(engine) == {
        ("csv-test", *key): (
            "completed" if completions else "in_progress",
            max(views),
            min(completions) if completions else None,
        )
        for key, (views, completions) in expected.items()
    }
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


BAD = 'learner,course,lesson,viewed_at\n7,c,l,2024-09-03 08:00\n8,c,"l\u202e",03/04/2024\n9,c,l,2024-09-04,extra\n'


def set_aside(environment: dict[str, str], consumer: Consumer, file: Path, name: str = "lms") -> None:
    result = invoke(environment, "publish", str(file), "--format", "csv", "--connection", name)
    assert result.exit_code == 0, result.output
    Drain(consumer, RecordingHost(), 0.5).run()


def test_rejected_records_are_dead_letters_and_after_a_fix_are_published_again(
    environment: dict[str, str], settings: Settings, redis: Redis, engine: Engine, consumer: Consumer, tmp_path: Path
) -> None:
    file, records = tmp_path / "history.csv", tmp_path / "records.jsonl"
    file.write_text(BAD, encoding="utf-8")
    set_aside(environment, consumer, file)
    assert [row[0] for row in rows(engine, LETTERS)] == ["not_translated"] * 3
    assert [row[1].split(": ")[:2] for row in rows(engine, LETTERS)] == [
        ["csv", "no_offset"],
        ["csv", "bad_time"],
        ["csv", "bad_row"],
    ]
    arguments = ("dead-letters", "export", "--reason", "not_translated", "--records", "-o", str(records))
    assert invoke(environment, *arguments).exit_code == 0
    assert [json.loads(line) for line in records.read_bytes().splitlines()] == [
        {"learner": "7", "course": "c", "lesson": "l", "viewed_at": "2024-09-03 08:00"},
        {"learner": "8", "course": "c", "lesson": "l\u202e", "viewed_at": "03/04/2024"},
        {"header": "learner,course,lesson,viewed_at", "row": "9,c,l,2024-09-04,extra"},
    ]
    hint = "no_offset: give the zone of the times with --timezone"
    tried = ("publish", str(file), "--format", "csv", "--connection", "lms", "--dry-run")
    assert hint in invoke(environment, *tried).stdout
    assert hint not in invoke(environment, *tried, "--timezone", "UTC").stdout
    again = invoke(environment, "dead-letters", "redrive", "--reason", "not_translated").stdout
    assert "published again instead: see `dead-letters export --records`" in again
    redis.delete(*Keys.of(settings).streams)
    given = records.read_bytes().replace(b"03/04/2024", b"2024-04-03").replace(b",extra", b"")
    result = run(environment, "publish", "-", *OPTIONS, given=given)
    assert closing_table(result.stdout) == {("event", "lesson.viewed"): 3}, result.stderr
    assert events([each for each in published(redis, settings) if each["type"] == "lesson.viewed"]) == [
        ("lesson.viewed", "user:7", "l", "2024-09-03T08:00:00Z"),
        ("lesson.viewed", "user:8", "l\u202e", "2024-04-03T00:00:00Z"),
        ("lesson.viewed", "user:9", "l", "2024-09-04T00:00:00Z"),
    ]
    assert len(rows(engine, LETTERS)) == 3, "publishing deletes nothing"


def test_records_are_exported_of_one_connection_only(
    environment: dict[str, str], consumer: Consumer, tmp_path: Path
) -> None:
    file = tmp_path / "history.csv"
    for name, learner in (("one", "1"), ("two", "2")):
        file.write_text(f"learner,course,lesson,viewed_at\n{learner},c,l,never\n", encoding="utf-8")
        set_aside(environment, consumer, file, name)
    export = ("dead-letters", "export", "--reason", "not_translated", "--records")
    both = invoke(environment, *export)
    assert both.exit_code == 1
    assert "There are records of one and of two. Choose with --connection NAME." in both.stderr
    assert both.stdout == "", "what is piped to `publish` is published at once"
    for name, learner in (("one", "1"), ("two", "2")):
        (line,) = invoke(environment, *export, "--connection", name).stdout.splitlines()
        assert json.loads(line)["learner"] == learner
    none = invoke(environment, *export, "--connection", "three")
    assert (none.stdout, none.stderr) == ("", "There are no such records of connection three.\n")


def test_records_need_their_reason(environment: dict[str, str]) -> None:
    assert (
        "--records needs --reason not_translated" in invoke(environment, "dead-letters", "export", "--records").stderr
    )
    assert "--connection needs --records" in invoke(environment, "dead-letters", "export", "--connection", "x").stderr


def test_a_long_record_is_cut_and_says_so_when_it_is_published_again(
    environment: dict[str, str], settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(json.dumps({"learner": "é" * 100_000}), encoding="utf-8")
    assert invoke(environment, "publish", str(file), *OPTIONS).exit_code == 0
    (rejected,) = published(redis, settings)
    record = rejected["data"]["record"]
    assert len(record.encode()) <= KEPT_BYTES + 3
    result = run(environment, "publish", "-", *OPTIONS, given=json.dumps(record).encode())
    assert closing_table(result.stdout) == {("rejected", "not_json"): 1}


def test_records_expire_and_no_other_dead_letter_does(
    settings: Settings, redis: Redis, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expired_records, "CHUNK", 10)
    for reason, count, days in (("not_translated", 25, 91), ("not_translated", 5, 89), ("invalid_json", 3, 400)):
        execute(
            engine,
            "INSERT INTO dead_letter (stream, entry_id, reason, detail, body, created_at) "
            "SELECT 's', concat(:days, '-', n), :reason, '', '{}', "
            "now() - make_interval(days => :days) FROM generate_series(1, :count) AS n",
            reason=reason,
            count=count,
            days=days,
        )
    assert expired_records.delete_old_records(engine, 90, lambda: False) == 10
    assert maintain(settings, redis, engine).records_expired == 15
    assert maintain(settings, redis, engine).records_expired == 0
    assert rows(engine, "SELECT reason, count(*) FROM dead_letter GROUP BY 1 ORDER BY 1") == [
        ("invalid_json", 3),
        ("not_translated", 5),
    ]
    hours = settings.model_copy(update={"not_translated_days": 1})
    assert maintain(hours, redis, engine).records_expired == 5
