"""The publishers of docs/how-to/publish, each run by its own language against a real server.

A language is skipped where its runtime or its Redis client is not installed; Debian has all of them:
php-cli php-redis nodejs node-redis ruby ruby-redis golang-go golang-github-gomodule-redigo-dev default-jdk-headless
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zlib import crc32

import pytest
from sqlalchemy import Engine

from tests.support.doors import consume
from tests.support.events import numbered
from tests.support.model import assert_tables_equal_model
from tests.support.named import rows_by_name
from tests.support.tables import rows
from worker.consume.consumer import Consumer
from worker.contract.entry import Entry
from worker.contract.event import Event
from worker.contract.named_event import NamedEvent, NamedLessonCompleted
from worker.contract.parse import parse_entry
from worker.settings import Settings
from worker.streams.connection import Redis

FOLDER = Path(__file__).parents[2] / "docs" / "how-to" / "publish"
DEBIAN = {"NODE_PATH": "/usr/share/nodejs", "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
"""Where Debian's packages of libraries are, for runtimes that do not come from Debian."""
COMMANDS = {
    "python": ([sys.executable, "progress_publisher.py"], []),
    "php": (["php", "progress_publisher.php"], ["php", "-r", "exit(extension_loaded('redis') ? 0 : 1);"]),
    "node": (["node", "progress_publisher.js"], ["node", "-e", "require('redis')"]),
    "ruby": (["ruby", "progress_publisher.rb"], ["ruby", "-e", "require 'redis'"]),
    "go": (["go", "run", "progress_publisher.go"], ["go", "list", "github.com/gomodule/redigo/redis"]),
    "java": (["java", "ProgressPublisher.java"], ["java", "--source", "17", "--version"]),
}
"""How to run each file, and what fails where its client is missing."""
LANGUAGES = [pytest.param(each, marks=[pytest.mark.second_tier] if each in {"go", "java"} else []) for each in COMMANDS]
"""Those that compile take seconds."""
PASSWORD = "p@ss:w/rd %41"  # noqa: S105 - of a user that lives as long as a test
LESSON = {"user_course_id": 25, "topic_id": 1, "lesson_id": 1}
DATA: list[tuple[int, str, dict[str, Any]]] = [
    (
        3,
        "course.outlined",
        {
            "course_id": 11,
            "lessons": [
                {"topic_id": 1, "lesson_id": 1, "title": "Größe & “Maß”"},
                {"topic_id": 1, "lesson_id": 2},
            ],
        },
    ),
    (1, "enrollment.created", {"user_course_id": 25, "user_id": 7, "course_id": 11, "timezone": "UTC"}),
    (1, "lesson.viewed", {**LESSON, "section_id": 2, "duration_seconds": 90}),
    (1, "lesson.completed", LESSON),
]
"""What each publishes with numbers: the partition, the type and the data."""
NAMED = ("user:Zoë", "course:5", "page:8")
"""The learner, course and lesson of the event that each publishes with names."""


@pytest.fixture
def url(settings: Settings, redis: Redis) -> Iterator[str]:
    """The server's URL for a user with the rights that docs/operations.md grants to publishers."""
    name = f"publisher-{settings.stream_key}"
    keys = [settings.stream_key, f"{settings.stream_key}:*"]
    commands = ["+ping", "+hello", "+select", "+client|setinfo", "+time", "+xadd"]
    redis.acl_setuser(name, enabled=True, passwords=[f"+{PASSWORD}"], keys=keys, commands=commands)
    parts = urlsplit(str(settings.redis_url))
    yield parts._replace(netloc=f"{name}:{quote(PASSWORD, safe='')}@{parts.hostname}:{parts.port}").geturl()
    redis.acl_deluser(name)


def published_by(language: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    command, check = COMMANDS[language]
    given = {**DEBIAN, **environment}
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    if check and subprocess.run(check, env=given, capture_output=True, check=False).returncode:
        pytest.skip(f"{command[0]} has no Redis client")
    return subprocess.run(command, cwd=FOLDER, env=given, capture_output=True, text=True, check=False, timeout=50)


def entries(redis: Redis, stream: str) -> list[Event | NamedEvent]:
    found: Any = redis.xrange(stream)
    assert all(list(fields) == [b"event"] for _, fields in found)
    return [parse_entry(Entry(stream, entry_id.decode(), fields[b"event"])) for entry_id, fields in found]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_copied_publisher_sends_is_valid_and_applied_exactly(
    redis: Redis, settings: Settings, consumer: Consumer, engine: Engine, url: str, language: str
) -> None:
    environment = {**os.environ, "REDIS_URL": url, "PROGRESS_STREAM_KEY": settings.stream_key}
    done = published_by(language, environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    events = {number: list(map(numbered, entries(redis, f"{settings.stream_key}:{number}"))) for number in (1, 3)}
    for number, each in events.items():
        expected = [(kind, data) for partition, kind, data in DATA if partition == number]
        assert [(event.type, event.data.model_dump(exclude_none=True)) for event in each] == [
            (kind, {**data, "lessons": tuple(data["lessons"])} if "lessons" in data else data)
            for kind, data in expected
        ]
    anywhere = settings.stream_key if language == "node" else f"{settings.stream_key}:{crc32(NAMED[0].encode()) % 8}"
    (named,) = entries(redis, anywhere)
    assert isinstance(named, NamedLessonCompleted)
    everything = [*events[1], *events[3]]
    ids = {event.id for event in [*everything, named]} | {event.event_id for event in [*everything, named]}
    assert len(ids) == 5, "each id is a UUID"
    assert {event.source for event in [*everything, named]} == {"/my-lms"}
    redis.delete(anywhere)  # until the tables are compared, which the model does for numbers alone
    consume(consumer)
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]
    assert_tables_equal_model(engine, everything)
    redis.xadd(anywhere, {"event": named.to_json()})
    consume(consumer)
    assert rows_by_name(engine) == {("/my-lms", *NAMED): ("completed", named.time, named.time)}


@pytest.mark.second_tier
@pytest.mark.parametrize("language", COMMANDS)
@pytest.mark.parametrize("fault", ["a server that is away", "a wrong password", "a stream that is none"])
def test_a_copied_publisher_fails_loudly(redis: Redis, settings: Settings, url: str, language: str, fault: str) -> None:
    if fault == "a server that is away":
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        url = f"redis://127.0.0.1:{port}/0"
    elif fault == "a wrong password":
        url = url.replace(quote(PASSWORD, safe=""), "wrong")
    else:
        redis.set(f"{settings.stream_key}:3", "not a stream")
    done = published_by(language, {**os.environ, "REDIS_URL": url, "PROGRESS_STREAM_KEY": settings.stream_key})
    assert done.returncode != 0
    assert done.stderr + done.stdout
