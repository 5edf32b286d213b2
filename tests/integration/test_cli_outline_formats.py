"""`outline load --format` publishes named outlines, which are the courses' outlines once a worker has read them."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke, run
from tests.support.named import SOURCE
from tests.support.tables import rows
from worker.contract.named_event import NAMED_EVENT, NamedCourseOutlined
from worker.settings import Settings
from worker.streams.connection import Redis
from worker.streams.keys import Keys

CSV = 'course,topic,lesson,title\nmath,t,l2,"Two, Liège"\nart,,l1,\nmath,,l1,One\n'
OUTLINES = """
    SELECT course.key, topic.key, lesson.key, course_lesson.title
    FROM course_lesson
    JOIN external_id AS course ON (course.kind, course.id) = ('course', course_id)
    JOIN external_id AS topic ON (topic.kind, topic.id, topic.scope) = ('topic', course_lesson.topic_id, course.id)
    JOIN external_id AS lesson ON (lesson.kind, lesson.id, lesson.scope) = ('lesson', lesson_id, course.id)
    ORDER BY course.key, ordinal
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "lessons.csv"
    path.write_text(CSV)
    return str(path)


def load(environment: dict[str, str], file: str, *options: str) -> list[str]:
    result = invoke(environment, "outline", "load", "--format", "csv", "--connection", SOURCE, *options, file)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def published(settings: Settings, redis: Redis) -> list[NamedCourseOutlined]:
    keys = Keys.of(settings)
    streams: list[Any] = [redis.xrange(stream) for stream in keys.streams]
    found = [entry for stream in streams for entry in stream]
    events = [NAMED_EVENT.validate_json(fields[b"event"]) for _, fields in found]
    assert all(isinstance(event, NamedCourseOutlined) for event in events)
    return [event for event in events if isinstance(event, NamedCourseOutlined)]


def test_what_is_loaded_are_the_outlines_once_a_worker_has_read_them(
    environment: dict[str, str], engine: Engine, file: str
) -> None:
    assert load(environment, file, "--time", "2025-07-14T12:30:01+02:00") == [
        "Published the outline of course 'math' from 2025-07-14 10:30:01 UTC: 2 lessons.",
        "Published the outline of course 'art' from 2025-07-14 10:30:01 UTC: 1 lesson.",
        "It takes effect when a worker reads it, unless the live outline is newer.",
    ]
    assert rows(engine, "SELECT id FROM course") == [], "a worker applies it, not the command"
    assert invoke(environment, "drain").exit_code == 0
    assert rows(engine, OUTLINES) == [
        ("art", "", "l1", None),
        ("math", "t", "l2", "Two, Liège"),
        ("math", "", "l1", "One"),
    ]


def test_one_event_is_published_for_each_course_under_the_connections_name(
    environment: dict[str, str], settings: Settings, redis: Redis, file: str
) -> None:
    load(environment, file)
    events = published(settings, redis)
    assert sorted((event.source, event.data.course, len(event.data.lessons)) for event in events) == [
        (SOURCE, "art", 1),
        (SOURCE, "math", 2),
    ]
    assert len({event.time for event in events}) == 1
    assert len({event.id for event in events}) == 2


def test_loaded_again_and_changed_it_keeps_its_lessons_numbers(
    environment: dict[str, str], engine: Engine, file: str
) -> None:
    numbers = "SELECT key, id FROM external_id WHERE kind = 'lesson' ORDER BY key, id"
    load(environment, file)
    assert invoke(environment, "drain").exit_code == 0
    before = rows(engine, numbers)
    Path(file).write_text(CSV.replace("math,t,l2", "math,other,l2") + "art,,l3,\n")
    load(environment, file)
    assert invoke(environment, "drain").exit_code == 0
    assert [row for row in rows(engine, numbers) if row[0] != "l3"] == before
    assert ("art", "", "l3", None) in rows(engine, OUTLINES)


def test_standard_input_may_be_any_format(environment: dict[str, str], settings: Settings, redis: Redis) -> None:
    content = b'[{"id": 1, "name": "", "modules": [{"id": 2, "name": "Quiz", "modname": "quiz"}]}]'
    arguments = ["--format", "moodle", "--connection", SOURCE, "--course", "5", "-"]
    loaded = run(environment, "outline", "load", *arguments, given=content)
    assert loaded.stdout.startswith("Published the outline of course 'course:5' from "), loaded.stderr
    (event,) = published(settings, redis)
    assert [each.lesson for each in event.data.lessons] == ["cm:2"]


@pytest.mark.parametrize("content", ["", CSV + "art,,l1,\n", CSV + "art\n", CSV.replace("lesson", "lesson_id")])
def test_nothing_is_published_of_a_file_with_a_mistake(environment: dict[str, str], redis: Redis, content: str) -> None:
    arguments = ["--format", "csv", "--connection", SOURCE, "-"]
    refused = run(environment, "outline", "load", *arguments, given=content.encode())
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: standard input")
    assert refused.stderr.endswith(" Nothing was published.\n")
    assert list(redis.scan_iter(f"*{environment['PROGRESS_STREAM_KEY']}*")) == []


def test_a_dry_run_publishes_nothing(environment: dict[str, str], redis: Redis, file: str) -> None:
    assert '"course": "art"' in "".join(load(environment, file, "--dry-run"))
    assert list(redis.scan_iter(f"*{environment['PROGRESS_STREAM_KEY']}*")) == []
