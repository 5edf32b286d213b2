"""`/xapi/statements`: every status, whose names statements get, and that nothing hostile is lost or slow."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.api import served
from tests.support.doors import consume
from tests.support.named import rows_by_name
from tests.support.tables import rows
from tests.support.xapi import HOME, learner_name, statement
from worker.api.received_records import MAX_RECORDS
from worker.consume.consumer import Consumer
from worker.settings import Settings
from worker.streams.connection import Redis

STATEMENTS, PROBLEM = "/xapi/statements", "application/problem+json"
VERSION = "X-Experience-API-Version"


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings) as client:
        yield client


def streamed(redis: Redis, settings: Settings) -> list[dict[str, Any]]:
    """The events in all streams."""
    keys = redis.scan_iter(f"{settings.stream_key}*", _type="stream")
    found: list[Any] = [entry for key in sorted(keys) for entry in redis.xrange(key) or ()]
    return [json.loads(fields[b"event"]) for _, fields in found]


def assert_problem(answer: httpx.Response, status: int, word: str = "") -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM), answer.text
    assert answer.headers[VERSION] == "1.0.3"
    assert word in answer.json()["detail"]


def multipart(*parts: bytes, boundary: bytes = b"b") -> bytes:
    return b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--%s--" % boundary


MIXED = "multipart/mixed; boundary=b"
NO_STATEMENTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/json"),
    "no JSON": (b"{", "application/json"),
    "two texts": (b"{}{}", "application/json"),
    "a number": (b"1", "application/json"),
    "a text": (b'"{}"', "application/json"),
    "null": (b"null", "application/json"),
    "a list of others": (b"[{}, 1]", "application/json"),
    "a list of lists": (b"[[{}]]", "application/json"),
    "too deep": (b"[" * 100_000, "application/json"),
    "too deep in a member": (b'{"a":' * 100_000, "application/json"),
    "a form": (b"a=1&b=2", "application/x-www-form-urlencoded"),
    "no part": (b"{}", MIXED),
    "no boundary": (multipart(b"\r\n{}"), "multipart/mixed"),
    "another boundary": (multipart(b"\r\n{}", boundary=b"c"), MIXED),
    "a part that is no JSON": (multipart(b"Content-Type: image/png\r\n\r\n\x89PNG", b"\r\n{}"), MIXED),
    "multipart in multipart": (
        multipart(b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n{}\r\n--c--"),
        MIXED,
    ),
}


@pytest.mark.parametrize("name", NO_STATEMENTS)
def test_what_holds_no_objects_is_refused_whole(name: str, api: httpx.Client, redis: Redis, settings: Settings) -> None:
    body, content_type = NO_STATEMENTS[name]
    for method in ("POST", "PUT"):
        answer = api.request(method, STATEMENTS, content=body, headers={"Content-Type": content_type})
        assert_problem(answer, 400)
    assert streamed(redis, settings) == []


def test_put_takes_one_statement(api: httpx.Client, redis: Redis, settings: Settings) -> None:
    for several in ([], [statement(), statement("5")]):
        assert_problem(api.put(STATEMENTS, json=several), 400, f"{len(several)} statements")
    assert streamed(redis, settings) == []
    assert api.put(STATEMENTS, json=[statement()]).status_code == 204
    given = "0198A1B2-c3d4-7e5f-8a9b-000000000001"
    assert api.put(f"{STATEMENTS}?statementId={given}", json=statement("5")).status_code == 204
    assert api.put(f"{STATEMENTS}?statementId=no-matter", json=statement("6", id=given)).status_code == 204
    assert sorted(each["id"] for each in streamed(redis, settings))[:2] == [given.lower()] * 2


def test_an_empty_list_is_no_mistake(api: httpx.Client) -> None:
    answer = api.post(STATEMENTS, json=[])
    assert (answer.status_code, answer.json()) == (200, [])


def test_no_type_of_content_is_demanded(api: httpx.Client, redis: Redis, settings: Settings) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(statement()).encode()
    for content_type in ("text/plain", "application/octet-stream", "", "application/json; charset=utf-8"):
        assert api.post(STATEMENTS, content=body, headers={"Content-Type": content_type}).status_code == 200
    for content_type in ('multipart/mixed; boundary="b"', "MULTIPART/MIXED;charset=utf-8;boundary=b"):
        content = b"a preamble\r\n" + multipart(b"\r\n" + body, b"\r\n[1]").replace(b"\r\n", b"\n")
        assert api.post(STATEMENTS, content=content, headers={"Content-Type": content_type}).status_code == 200
    assert len(streamed(redis, settings)) == 6


def test_nothing_can_be_read_and_the_other_resources_are_not_there(api: httpx.Client) -> None:
    for method in ("GET", "DELETE", "PATCH"):
        answer = api.request(method, STATEMENTS)
        assert_problem(answer, 405, "POST, PUT")
        assert answer.headers["Allow"] == "POST, PUT"
    assert_problem(api.post("/xapi/about"), 405)
    for path in ("/xapi", "/xapi/", "/xapi/activities/state", "/xapi/agents/profile", "/xapi/statements/more"):
        assert_problem(api.get(path), 404, "a sink for statements, not a Learning Record Store")
        assert_problem(api.put(path, json={}), 404, "/xapi/statements")


def test_an_encoded_body_is_refused_by_the_name_of_its_encoding(
    api: httpx.Client, redis: Redis, settings: Settings
) -> None:
    body = gzip.compress(json.dumps(statement()).encode())
    events = {"Content-Type": "application/cloudevents-batch+json"}
    for method, path, headers in (("POST", STATEMENTS, {}), ("PUT", STATEMENTS, {}), ("POST", "/events", events)):
        for coding in ("gzip", "br", "identity, GZIP"):
            answer = api.request(method, path, content=body, headers={**headers, "Content-Encoding": coding})
            assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")
            assert f"Content-Encoding {coding} " in answer.json()["detail"]
    plain = api.post(STATEMENTS, json=statement(), headers={"Content-Encoding": "Identity"})
    assert plain.status_code == 200
    assert len(streamed(redis, settings)) == 1


def test_a_body_that_is_too_large_is_refused(settings: Settings) -> None:
    with served(settings.model_copy(update={"api_body_bytes": 50_000})) as client:
        body = json.dumps(statement()).encode()
        assert client.post(STATEMENTS, content=body.ljust(50_000)).status_code == 200
        assert_problem(client.post(STATEMENTS, content=body.ljust(50_001)), 413)


def test_too_many_statements_are_refused(api: httpx.Client, redis: Redis, settings: Settings) -> None:
    """Each of these would become a dead letter of some hundred bytes."""
    assert_problem(api.post(STATEMENTS, content=b"[%s{}]" % (b"{}," * MAX_RECORDS)), 413, f"at most {MAX_RECORDS}")
    assert streamed(redis, settings) == []


def test_without_redis_every_sender_tries_again(settings: Settings, engine: Engine) -> None:
    assert rows(engine, "SELECT 1")
    with served(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})) as client:
        for answer in (client.post(STATEMENTS, json=[statement()]), client.put(STATEMENTS, json=statement())):
            assert_problem(answer, 503)
            assert int(answer.headers["Retry-After"]) > 0


def test_each_statement_has_an_id_that_a_repetition_has_too(
    api: httpx.Client, engine: Engine, consumer: Consumer
) -> None:
    """Events, ignored and rejected ones, with an id and without; a repetition changes nothing but the dead letters."""
    given = "urn:uuid:0198a1b2-c3d4-7e5f-8a9b-000000000001"
    without = [statement(), statement(verb="answered"), statement(verb="voided"), {"actor": {}}, {}]
    sent = [*without, *({"id": given, **each} for each in without)]
    first, second = (api.post(STATEMENTS, json=sent) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert first.json()[5:] == [given] * 5
    assert len({UUID(each) for each in first.json()[:5]}) == 5
    consume(consumer)
    assert sorted(rows(engine, "SELECT event_id::text FROM lesson_event")) == sorted(
        [(first.json()[0],), (given.rpartition(":")[2],)]
    )
    assert set(rows(engine, "SELECT reason FROM dead_letter")) == {("not_translated",)}


def test_what_becomes_of_statements_is_counted_in_one_line_a_request(
    api: httpx.Client, engine: Engine, consumer: Consumer
) -> None:
    sent = [statement(), statement(verb="answered"), statement(verb="asked"), statement(verb="voided"), {}]
    with capture_logs() as logged:
        assert api.post(STATEMENTS, json=sent).status_code == 200
    (line,) = [each for each in logged if each["event"] == "records_received"]
    counts = {"records": 5, "events": 1, "ignored": {"verb": 2}, "rejected": {"voiding": 1, "missing_member": 1}}
    assert {name: line[name] for name in ("connection", *counts)} == {"connection": "xapi", **counts}
    assert HOME not in str(logged)
    consume(consumer)
    details = rows(engine, "SELECT detail FROM dead_letter ORDER BY detail")
    assert [detail.split(": ")[:2] for (detail,) in details] == [["xapi", "missing_member"], ["xapi", "voiding"]]


FILE = """
[campus]
format = "csv"
[players]
format = "xapi"
"""


WHOSE = [
    ("", None, "", "xapi"),
    ("", None, "campus", "xapi"),
    ("", "mine", "campus", "mine"),
    (FILE, None, "", "players"),
    (FILE, None, "campus", "campus"),
    (FILE, None, "nobody", "players"),
    (FILE, "mine", "campus", "mine"),
    (FILE + '[more]\nformat = "xapi"\n', None, "", "xapi"),
    (FILE + '[more]\nformat = "xapi"\n', None, "more", "more"),
]
"""The file, the token's connection, the user, and whose names are meant."""


@pytest.mark.parametrize(
    ("file", "connection", "user", "expected", "with_tokens"),
    [(*each, with_tokens) for with_tokens in (True, False) for each in WHOSE if with_tokens or not each[1]],
)
def test_whose_names_they_are(
    file: str,
    connection: str | None,
    user: str,
    expected: str,
    with_tokens: bool,
    settings: Settings,
    redis: Redis,
    tmp_path: Path,
) -> None:
    path = tmp_path / "connections.toml"
    path.write_text(file)
    token = {"name": "t", "token": "token-of-the-sender", "scopes": ["write"], "connection": connection}
    tokens = {"api_tokens": SecretStr(json.dumps([token]))} if with_tokens else {}
    with served(settings.model_copy(update={"connections": path, **tokens})) as client:
        answer = client.post(STATEMENTS, json=statement(), auth=(user, "token-of-the-sender"))
        assert answer.status_code == 200
    assert [each["source"] for each in streamed(redis, settings)] == [expected]


LONG = "ж" * 2_500
HOSTILE: dict[str, tuple[str, str]] = {
    "five kilobytes": (LONG, LONG),
    "a NUL": ("a\\u0000b", "a\ufffdb"),
    "half a pair": ("a\\ud800b", "a\ufffdb"),
    "the other half": ("a\\udc00\\ud800b", "a\ufffd\ufffdb"),
    "a whole pair": ("a\\ud83d\\ude80b", "a🚀b"),
    "an escaped backslash before it": ("a\\\\ud800b", "a\\ud800b"),
    "right to left": ("مرحبا \u202e abc", "مرحبا \u202e abc"),
    "what SQL and JSON quote": ("';--\\\"\\\\ %s {}", "';--\"\\ %s {}"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_rows(name: str, api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    written, read = HOSTILE[name]
    body = json.dumps([statement("@", lesson="https://e.example/@", course="https://e.example/@/c", id="@")])
    answer = api.post(STATEMENTS, content=body.replace("@", written).encode())
    assert answer.status_code == 200, answer.text
    assert answer.json() == [read.replace("\ufffdb", "\0b") if "NUL" in name else read]
    consume(consumer)
    assert rows(engine, "SELECT detail FROM dead_letter") == []
    ((_, learner, course, lesson),) = rows_by_name(engine)
    if read == LONG:
        assert all(each.startswith("sha256:") for each in (learner, course, lesson))
    else:
        assert learner == learner_name(read)
        assert (course, lesson) == (f"https://e.example/{read}/c", f"https://e.example/{read}")


@pytest.mark.parametrize("text", ["\\ud800", "\\u0000", LONG, "\\ud83d\\ude80"])
def test_hostile_texts_in_what_is_rejected_are_kept(
    text: str, api: httpx.Client, engine: Engine, consumer: Consumer
) -> None:
    body = '[{"verb": {"id": "@"}, "object": {"id": "@"}, "@": 1e999}]'.replace("@", text)
    assert api.post(STATEMENTS, content=body.encode()).status_code == 200
    consume(consumer)
    assert rows(engine, "SELECT reason FROM dead_letter") == [("not_translated",)]


def test_bytes_that_are_no_utf_8_are_replaced(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    body = json.dumps(statement("@")).encode().replace(b"@", b"\xff")
    assert api.post(STATEMENTS, content=body).status_code == 200
    consume(consumer)
    assert [learner for _, learner, _, _ in rows_by_name(engine)] == [learner_name("\ufffd")]


NONSENSE = {
    "brackets": b"[" * 1_000_000,
    "objects": b"[" + b'{"a":[' * 166_000,
    "bytes": bytes(range(256)) * 4_000,
    "escapes": b'["' + b"\\ud800" * 166_000,
    "boundaries": b"--b\r\n" * 200_000,
    "digits": b"[" + b"9" * 1_000_000 + b"]",
    "backslashes": b'"' + b"\\" * 1_000_001,
}


@pytest.mark.parametrize("content_type", ["application/json", MIXED])
@pytest.mark.parametrize("name", NONSENSE)
def test_a_megabyte_of_nonsense_is_refused_at_once(name: str, content_type: str, api: httpx.Client) -> None:
    started = time.monotonic()
    answer = api.post(STATEMENTS, content=NONSENSE[name], headers={"Content-Type": content_type})
    assert_problem(answer, 400)
    assert len(answer.text) < 1_000
    assert time.monotonic() - started < 1


def test_ten_thousand_statements_with_new_names_in_one_request(
    api: httpx.Client, engine: Engine, consumer: Consumer
) -> None:
    sent = [
        statement(
            str(number % 2_500),
            "completed" if number % 3 else "experienced",
            f"{HOME}/l{number}",
            f"{HOME}/c{number % 50}",
        )
        for number in range(10_000)
    ]
    started = time.monotonic()
    answer = api.post(STATEMENTS, json=sent)
    assert time.monotonic() - started < 15
    assert (answer.status_code, len(set(answer.json()))) == (200, 10_000)
    consume(consumer)
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]
    found = {
        (learner, course, lesson): status for (_, learner, course, lesson), (status, *_) in rows_by_name(engine).items()
    }
    assert found == {
        (learner_name(str(number % 2_500)), f"{HOME}/c{number % 50}", f"{HOME}/l{number}"): (
            "completed" if number % 3 else "in_progress"
        )
        for number in range(10_000)
    }


def test_others_are_served_while_a_large_body_is_translated(api: httpx.Client, engine: Engine) -> None:
    """The longest wait of a small request meanwhile is far below the time that the large one takes."""
    assert rows(engine, "SELECT 1")
    body = json.dumps([statement(str(number)) for number in range(20_000)]).encode()
    waits: list[float] = []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=api.base_url, timeout=30) as client:
            while not done.is_set():
                started = time.monotonic()
                assert client.get("/xapi/about").status_code == 200
                waits.append(time.monotonic() - started)

    other = threading.Thread(target=ask)
    other.start()
    started = time.monotonic()
    assert api.post(STATEMENTS, content=body).status_code == 200
    taken = time.monotonic() - started
    done.set()
    other.join()
    assert len(waits) > 10
    assert max(waits) < max(taken / 2, 0.5)
