"""`/moodle` and `/frappe`: who may send, what is answered, and that what is sent is what is recorded."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.api import served
from tests.support.doors import consume
from tests.support.lms_records import COMPLETION, completion, enrollment, progress, row
from tests.support.named import rows_by_name
from tests.support.tables import rows
from worker.api.door_tokens import PATHS
from worker.api.middleware import MAX_BYTES
from worker.api.received_records import MAX_RECORDS
from worker.api.record_doors import DOORS
from worker.consume.consumer import Consumer
from worker.settings import Settings
from worker.streams.connection import Redis

TOKENS = [
    {"name": "moodle", "token": "token-of-the-moodle", "scopes": ["write"], "connection": "campus"},
    {"name": "reader", "token": "token-of-a-reader", "scopes": ["read"]},
]
GOOD = "token-of-the-moodle"
BASIC = httpx.BasicAuth("anyone", GOOD)
EVENT = row() | {"other": None}


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings.model_copy(update={"api_tokens": SecretStr(json.dumps(TOKENS))})) as client:
        yield client


@pytest.fixture
def open_api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings) as client:
        yield client


def is_empty(redis: Redis, settings: Settings) -> bool:
    return not list(redis.scan_iter(f"{settings.stream_key}*", _type="stream"))


def test_each_door_is_among_the_paths_of_batches() -> None:
    assert {door.path for door in DOORS} == PATHS


@pytest.mark.parametrize("as_list", [False, True])
def test_the_token_may_be_in_the_header_or_in_the_event(
    as_list: bool, api: httpx.Client, engine: Engine, consumer: Consumer
) -> None:
    body: Any = [EVENT] if as_list else EVENT
    for answer in (
        api.post("/moodle", json=body, headers={"Authorization": f"Bearer {GOOD}"}),
        api.post("/moodle/", json=body, auth=BASIC),
        api.post("/moodle", json=EVENT | {"token": GOOD, "host": "moodle.example", "extra": ""}),
        api.post("/moodle", json=EVENT | {"token": GOOD}, headers={"Authorization": "Bearer of-another"}),
        api.post("/moodle", content=json.dumps(EVENT | {"token": GOOD}), headers={"Content-Type": "text/plain"}),
    ):
        assert (answer.status_code, answer.content) == (200, b""), answer.text
    consume(consumer)
    assert rows_by_name(engine).keys() == {("campus", "user:3", "course:5", "cm:42")}
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]


REFUSED: dict[str, tuple[int, Any]] = {
    "none": (401, EVENT),
    "an empty one": (401, EVENT | {"token": ""}),
    "another": (401, EVENT | {"token": f"{GOOD}x"}),
    "not a text": (401, EVENT | {"token": [GOOD]}),
    "in a list": (401, [EVENT | {"token": GOOD}]),
    "in a member": (401, EVENT | {"other": {"token": GOOD}}),
    "of a reader": (403, EVENT | {"token": "token-of-a-reader"}),
    "too far in": (401, EVENT | {"padding": "x" * 5 * MAX_BYTES, "token": GOOD}),
    "no JSON": (401, f'{{"token": "{GOOD}", '),
    "nested": (401, "[" * 10_000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_without_a_token_nothing_is_taken(name: str, api: httpx.Client, redis: Redis, settings: Settings) -> None:
    status, body = REFUSED[name]
    content = body if isinstance(body, str) else json.dumps(body)
    answer = api.post("/moodle", content=content)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert GOOD not in answer.text
    assert is_empty(redis, settings)


def test_only_moodles_token_may_be_in_the_body(api: httpx.Client) -> None:
    assert api.post("/frappe", json=progress() | {"token": GOOD}).status_code == 401
    assert api.post("/xapi/statements", json={"token": GOOD}).status_code == 401
    assert api.post("/events", json={"token": GOOD}).status_code == 401


def test_guessing_is_limited(settings: Settings) -> None:
    limited = {"api_tokens": SecretStr(json.dumps(TOKENS)), "api_bad_requests_per_minute": 3}
    with served(settings.model_copy(update=limited)) as api:
        statuses = [api.post("/moodle", json=EVENT | {"token": f"guess-number-{n}-long"}).status_code for n in range(4)]
        assert statuses == [401, 401, 401, 429]
        assert api.post("/moodle", json=EVENT | {"token": GOOD}).status_code == 429
        assert api.post("/moodle", json=EVENT, auth=BASIC).status_code == 200


def test_no_token_is_in_a_dead_letter_or_the_log(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    with capture_logs() as logged:
        assert api.post("/moodle", json=completion("x") | {"token": GOOD}).status_code == 200
    consume(consumer)
    ((body, reason),) = rows(engine, "SELECT body, reason FROM dead_letter")
    assert reason == "not_translated"
    assert b"completionstate" in body
    assert GOOD.encode() not in body
    assert GOOD not in str(logged)


def test_a_form_is_the_event_that_it_says(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    """The plugin's last version sends one, whatever its Content-Type says; nothing is an empty text."""
    event = {
        "eventname": COMPLETION,
        "objectid": "77",
        "contextlevel": "70",
        "contextinstanceid": "42",
        "userid": "3",
        "courseid": "5",
        "relateduserid": "3",
        "anonymous": "0",
        "other[relateduserid]": "3",
        "other[overrideby]": "",
        "other[completionstate]": "1",
        "timecreated": "1740823200",
        "token": GOOD,
    }
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        for body in (urlencode(event), urlencode(event, safe="[]")):
            assert api.post("/moodle", content=body, headers={"Content-Type": content_type}).status_code == 200
    assert api.post("/moodle", json=completion(), auth=BASIC).status_code == 200
    consume(consumer)
    assert [each[0] for each in rows_by_name(engine).values()] == ["completed"]
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]
    assert rows(engine, "SELECT 1 FROM dead_letter") == []


@pytest.mark.parametrize("path", sorted(PATHS))
@pytest.mark.parametrize("body", ["", "{", "1", '"x"', "null", "[1]", "[[{}]]", "[" * 100_000, "{}{}"], ids=range(9))
def test_what_holds_no_objects_is_refused_whole(
    body: str, path: str, open_api: httpx.Client, redis: Redis, settings: Settings
) -> None:
    answer = open_api.post(path, content=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert is_empty(redis, settings)


def test_too_many_records(open_api: httpx.Client) -> None:
    assert open_api.post("/moodle", content=f"[{','.join(['{}'] * (MAX_RECORDS + 1))}]").status_code == 413
    assert open_api.get("/moodle").status_code == 405


def test_frappes_documents(open_api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    sent = [progress(modified="2026-03-01 10:00:00Z"), enrollment(creation="2026-02-27 08:00:00Z"), {"doctype": "ToDo"}]
    with capture_logs() as logged:
        assert open_api.post("/frappe", json=sent).status_code == 200
    (line,) = [each for each in logged if each["event"] == "records_received"]
    counts = {"records": 3, "events": 2, "ignored": {"event_type": 1}, "rejected": {}}
    assert {name: line[name] for name in ("format", "connection", *counts)} == {
        "format": "frappe",
        "connection": "frappe",
        **counts,
    }
    assert "ann@" not in str(logged)
    consume(consumer)
    ((_, learner, course, lesson),) = rows_by_name(engine)
    assert learner.startswith("mbox_sha1:")
    assert (course, lesson) == ("a-guide", "lesson-3")


def test_a_large_list_is_translated_aside(open_api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    sent = [row(contextinstanceid=str(number)) for number in range(100, 1100)]
    assert open_api.post("/moodle", json=sent).status_code == 200
    consume(consumer)
    assert len(rows_by_name(engine)) == 1000
