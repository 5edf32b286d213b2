"""`outline show` prints the live outline, `outline load` publishes a file as the next one."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke, run
from tests.support.events import at, enrolled, entries, outlined, viewed
from tests.support.tables import rows, snapshot
from worker.contract.event import EVENT, MAX_OUTLINE_CHARACTERS, CourseOutlined
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.streams.connection import Redis
from worker.streams.keys import Keys

LESSONS: list[tuple[int, int] | tuple[int, int, str]] = [
    (3, 8, "Loops, and more"),
    (3, 9, "Two \x1b[31m[bold] Liège"),
    (1, 8),
]
CSV = 'topic_id,lesson_id,title\n3,8,"Loops, and more"\n9,9,\n'


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "lessons.csv"
    path.write_text(CSV)
    return str(path)


def shown(environment: dict[str, str], course_id: int = 5) -> dict[str, Any]:
    result = invoke(environment, "outline", "show", str(course_id), "--json")
    assert result.exit_code == 0, result.output
    outline: dict[str, Any] = json.loads(result.stdout)
    return outline


def load(environment: dict[str, str], *arguments: str) -> list[str]:
    """Publish it and have it applied; the lines that were printed."""
    result = invoke(environment, "outline", "load", *arguments)
    assert result.exit_code == 0, result.output
    assert invoke(environment, "drain").exit_code == 0
    return result.stdout.splitlines()


def test_the_live_outline_is_shown_in_its_order_with_version_and_time(
    environment: dict[str, str], engine: Engine
) -> None:
    ingest(engine, entries([outlined(5, [(1, 1)]), outlined(4, [(4, 4)])]))
    ingest(engine, entries([outlined(5, LESSONS, seconds=7)]))
    assert shown(environment) == {
        "course_id": 5,
        "version": 2,
        "outlined_at": at(7).isoformat().replace("+00:00", "Z"),
        "lessons": [
            {"topic_id": 3, "lesson_id": 8, "title": "Loops, and more"},
            {"topic_id": 3, "lesson_id": 9, "title": "Two \x1b[31m[bold] Liège"},
            {"topic_id": 1, "lesson_id": 8, "title": None},
        ],
    }
    lines = [line.split() for line in invoke(environment, "outline", "show", "5").stdout.splitlines()]
    assert ["1", "3", "8", "Loops,", "and", "more"] in lines
    assert ["2", "3", "9", "Two", r"\x1b[31m[bold]", "Liège"] in lines
    assert ["3", "1", "8", "-"] in lines
    assert " ".join(lines[-1]) == "total 3, version 2, since 2025-07-14 10:30:07 UTC"


def test_an_empty_outline_is_an_outline(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([outlined(5)]))
    assert shown(environment)["lessons"] == []
    assert invoke(environment, "outline", "show", "5").stdout.splitlines() == [
        "The outline of course 5 has no lessons.",
        "total 0, version 1, since 2025-07-14 10:30:00 UTC",
    ]


@pytest.mark.parametrize("course_id", [5, 2**63 - 1])
def test_a_course_without_an_outline_is_told_what_that_means(
    environment: dict[str, str], engine: Engine, course_id: int
) -> None:
    ingest(engine, entries([enrolled(1, course_id=5), viewed(1)]))
    for options in ([], ["--json"]):
        result = invoke(environment, "outline", "show", str(course_id), *options)
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"Course {course_id} has no outline, so an enrollment's lessons are those with" in result.stderr
        assert f"`progress-worker outline load {course_id} FILE`" in result.stderr


def test_what_is_loaded_is_the_outline_once_a_worker_has_read_it(
    environment: dict[str, str], engine: Engine, file: str
) -> None:
    ingest(engine, entries([outlined(5, LESSONS)]))
    first, second = load(environment, "5", file, "--time", "2025-07-14T12:30:01+02:00")
    assert first == "Published the outline of course 5 from 2025-07-14 10:30:01 UTC: 2 lessons."
    assert second == "It takes effect when a worker reads it, unless the live outline is newer."
    assert shown(environment) == {
        "course_id": 5,
        "version": 2,
        "outlined_at": "2025-07-14T10:30:01Z",
        "lessons": [
            {"topic_id": 3, "lesson_id": 8, "title": "Loops, and more"},
            {"topic_id": 9, "lesson_id": 9, "title": None},
        ],
    }


def test_it_is_published_as_any_lms_would_and_as_of_now(
    environment: dict[str, str], settings: Settings, redis: Redis, engine: Engine, file: str
) -> None:
    assert invoke(environment, "outline", "load", "5", file).exit_code == 0
    assert rows(engine, "SELECT id FROM course") == [], "a worker applies it, not the command"
    entry: Any = redis.xrange(Keys.of(settings).stream_for(5))
    ((entry_id, fields),) = entry
    assert b"null" not in fields[b"event"], "a missing title is left out"
    event = EVENT.validate_json(fields[b"event"])
    assert isinstance(event, CourseOutlined)
    assert (event.source, UUID(event.id).version) == ("progress-worker", 4)
    milliseconds = int(entry_id.partition(b"-")[0])
    assert 0 <= milliseconds - event.time.timestamp() * 1000 < 10_000


def test_a_late_one_changes_nothing(environment: dict[str, str], engine: Engine, file: str) -> None:
    ingest(engine, entries([outlined(5, LESSONS)]))
    before = snapshot(engine, but=["outline_event"])
    load(environment, "5", file, "--time", "2025-07-14T10:29:59Z")
    assert snapshot(engine, but=["outline_event"]) == before


def test_what_show_prints_can_be_loaded_again(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([outlined(5, LESSONS)]))
    before = shown(environment)
    printed = run(environment, "outline", "show", "5", "--json").stdout.encode()
    loaded = run(environment, "outline", "load", "5", "-", given=printed)
    assert loaded.stdout.startswith("Published the outline of course 5 from "), loaded.stderr
    assert invoke(environment, "drain").exit_code == 0
    after = shown(environment)
    assert (after["version"], after["lessons"]) == (2, before["lessons"])
    assert after["outlined_at"] > before["outlined_at"]


def test_the_earlier_places_of_a_lesson_are_printed_and_loaded(
    environment: dict[str, str], engine: Engine, tmp_path: Path
) -> None:
    ingest(engine, entries([outlined(5, [(3, 8), (4, 9, "Nine", [(3, 9), (3, 7)])])]))
    its = [{"topic_id": 3, "lesson_id": 7}, {"topic_id": 3, "lesson_id": 9}]
    outline = shown(environment)
    assert outline["lessons"] == [
        {"topic_id": 3, "lesson_id": 8, "title": None},
        {"topic_id": 4, "lesson_id": 9, "title": "Nine", "moved_from": its},
    ]
    path = tmp_path / "outline.json"
    path.write_text(json.dumps(outline))
    load(environment, "5", str(path))
    assert shown(environment)["lessons"] == outline["lessons"]
    assert shown(environment)["version"] == 2


def test_standard_input_may_be_csv(environment: dict[str, str]) -> None:
    loaded = run(environment, "outline", "load", "5", "-", given=b"\xef\xbb\xbf" + CSV.encode())
    assert loaded.returncode == 0, loaded.stderr
    assert invoke(environment, "drain").exit_code == 0
    assert len(shown(environment)["lessons"]) == 2


def test_nothing_is_published_of_a_file_with_a_mistake(environment: dict[str, str], redis: Redis) -> None:
    for given in (b"", CSV.encode() + b"0,1,\n", b'{"course_id": 6, "lessons": []}'):
        refused = run(environment, "outline", "load", "5", "-", given=given)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Error: standard input")
    assert list(redis.scan_iter(f"*{environment['PROGRESS_STREAM_KEY']}*")) == []


def test_an_outline_of_exactly_the_largest_size_is_published_and_applied(
    environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "large"

    def arguments(letters: int) -> list[str]:
        path.write_text(json.dumps([{"topic_id": 1, "lesson_id": 1, "title": "x" * letters}]))
        return ["5", str(path), "--time", "2025-07-14T10:30:00.1Z"]

    refused = invoke(environment, "outline", "load", *arguments(MAX_OUTLINE_CHARACTERS)).stderr
    excess = int(refused.partition("one event: ")[2].partition(" characters")[0]) - MAX_OUTLINE_CHARACTERS
    fitting = MAX_OUTLINE_CHARACTERS - excess
    assert invoke(environment, "outline", "load", *arguments(fitting + 1)).exit_code == 1
    load(environment, *arguments(fitting))
    assert len(shown(environment)["lessons"][0]["title"]) == fitting
