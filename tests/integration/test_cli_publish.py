"""`publish` puts a file onto the streams, byte for byte, up to the first line that is no event."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import invoke, run
from tests.support.own_servers import OwnServers, own_servers
from tests.support.streams import full
from worker.settings import Settings
from worker.streams import connection
from worker.streams.connection import Redis
from worker.streams.keys import Keys


def event(user_course_id: int, number: int) -> bytes:
    """An event in a spelling that no serializer of ours would choose."""
    return f'{{ "data":{{"user_course_id" : {user_course_id}}}, "id":"\\u0065{number}", "n":1.50 }}'.encode()


LINES = [event(number % 20, number) for number in range(2_500)]


def published(redis: Redis, settings: Settings) -> dict[str, list[bytes]]:
    streams = Keys.of(settings).streams
    entries: dict[str, Any] = {stream: redis.xrange(stream) for stream in streams}
    return {stream: [fields[b"event"] for _, fields in its] for stream, its in entries.items()}


def partitioned(lines: list[bytes], settings: Settings) -> dict[str, list[bytes]]:
    keys = Keys.of(settings)
    expected: dict[str, list[bytes]] = {stream: [] for stream in keys.streams}
    for line in lines:
        expected[keys.stream_for(json.loads(line)["data"]["user_course_id"])].append(line)
    return expected


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_a_file_arrives_byte_for_byte_in_order(
    environment: dict[str, str], settings: Settings, redis: Redis, tmp_path: Path, packed: bool
) -> None:
    content = b"\n".join(LINES)
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(gzip.compress(content) if packed else content)
    result = invoke(environment, "publish", str(file))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Published 2,500 events in ")
    assert published(redis, settings) == partitioned(LINES, settings)


def test_standard_input_is_published(environment: dict[str, str], settings: Settings, redis: Redis) -> None:
    result = run(environment, "publish", "-", given=gzip.compress(b"\n".join(LINES[:3])))
    assert result.stdout.startswith("Published 3 events"), result.stderr
    assert published(redis, settings) == partitioned(LINES[:3], settings)


def test_shuffling_changes_the_order_and_nothing_else(
    environment: dict[str, str], settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(LINES))
    orders = []
    for seed in ("5", "5", "6"):
        assert invoke(environment, "publish", "--shuffle", "--seed", seed, str(file)).exit_code == 0
        orders.append(published(redis, settings))
        redis.delete(*orders[-1])
    expected = partitioned(LINES, settings)
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != expected
    assert {stream: sorted(its) for stream, its in orders[0].items()} == {s: sorted(its) for s, its in expected.items()}


@pytest.mark.parametrize("shuffle", [[], ["--shuffle"]], ids=["in order", "shuffled"])
def test_everything_before_a_line_that_is_no_event_is_published(
    environment: dict[str, str], settings: Settings, redis: Redis, tmp_path: Path, shuffle: list[str]
) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([*LINES[:1_200], b"oops", *LINES[1_200:]]))
    result = invoke(environment, "publish", *shuffle, str(file))
    assert result.exit_code == 1
    assert f"{file}, line 1201: not JSON" in result.stderr
    assert "The 1,200 events before it were published." in result.stderr
    assert "Publish the whole file again once that is fixed: nothing counts twice." in result.stderr
    there = published(redis, settings)
    assert {s: sorted(its) for s, its in there.items()} == {
        s: sorted(its) for s, its in partitioned(LINES[:1_200], settings).items()
    }


@pytest.mark.parametrize(
    "line",
    [b'{"actor":{"mbox":"mailto:ann@example.org"},"verb":{},"object":{}}', b'{"learner":"ann","course":"c"}'],
    ids=["a statement", "a row"],
)
def test_what_is_no_event_but_a_record_of_an_lms_is_not_published(
    environment: dict[str, str], settings: Settings, redis: Redis, line: bytes
) -> None:
    result = run(environment, "publish", "-", given=LINES[0] + b"\n" + line)
    assert result.returncode == 1
    assert "line 2: no event: it has no specversion, type or data." in result.stderr
    assert "--format" in result.stderr
    assert "The 1 event before it was published." in result.stderr
    assert [body for bodies in published(redis, settings).values() for body in bodies] == [LINES[0]]


@pytest.mark.parametrize("content", [b"learner,course,lesson\n7,c,l\n", b'[{"actor":{}}]'], ids=["a table", "a list"])
def test_a_file_of_another_format_is_told_what_to_add(environment: dict[str, str], content: bytes) -> None:
    result = run(environment, "publish", "-", given=content)
    assert result.returncode == 1
    assert "For a table, add --format csv and --connection NAME" in result.stderr


def test_objects_that_are_no_valid_events_are_left_to_the_consumer(
    environment: dict[str, str], settings: Settings, redis: Redis
) -> None:
    given = b'{"type":"lesson.liked"}\n{"data":[]}\n{}'
    assert run(environment, "publish", "-", given=given).returncode == 0
    assert published(redis, settings)[settings.stream_key] == given.split(b"\n")


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServers]:
    """A Valkey that may be filled."""
    with own_servers() as servers:
        yield servers


def test_a_full_redis_is_told_with_what_is_there_already(environment: dict[str, str], own: OwnServers) -> None:
    settings = Settings(redis_url=own.redis_url)
    redis = connection.connect(settings)
    with full(redis):
        result = run({**environment, "REDIS_URL": own.redis_url}, "publish", "-", given=LINES[0])
    redis.close()
    assert result.returncode == 1
    assert "Redis refuses" in result.stderr
    assert "events were published" not in result.stderr
    assert "maxmemory" in result.stderr
