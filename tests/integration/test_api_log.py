"""What the API logs, and answers when something fails: no learner, no token and no event is in the log."""

import io
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.events import as_json, enrolled, entries, viewed
from tests.support.tables import execute, snapshot
from tests.support.wait import wait_until
from worker.logs import configure_logging
from worker.progress.ingest import ingest
from worker.service import UserCourseProgressService
from worker.settings import Settings

LEARNER, TOPIC, LESSON, REFUSED = 918273645, 555101, 555202, 555303
ROW = f"/progress/{LEARNER}/{TOPIC}/{LESSON}"
VALID, READING, WRONG = "hidden-and-valid-token", "hidden-and-reading-token", "hidden-and-wrong-token"
SECRETS = [str(LEARNER), str(TOPIC), str(LESSON), str(REFUSED), "hidden", "lesson.viewed"]
PROBLEM, BATCH = "application/problem+json", {"Content-Type": "application/cloudevents-batch+json"}
OURS = ("worker.", "uvicorn", "fastapi", "asyncio", "sqlalchemy")
"""The loggers of the server's side; httpx, in the same process, says what it asks for."""

Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What `serve` logs at its most talkative, line by line as on standard error."""
    root, written = logging.getLogger(), io.StringIO()
    others, level = list(root.handlers), root.level
    configure_logging("json", "DEBUG")
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    root.handlers[:] = [*others, handler]

    def collect() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in written.getvalue().splitlines()]
        return [line for line in lines if line["logger"].startswith(OURS)]

    yield collect
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def guarded(settings: Settings) -> Settings:
    tokens = [
        {"name": "lms", "token": VALID, "scopes": ["read", "write"]},
        {"name": "reader", "token": READING, "scopes": ["read"], "courses": [4]},
    ]
    return settings.model_copy(update={"api_tokens": SecretStr(json.dumps(tokens)), "api_body_bytes": 4_096})


@pytest.fixture
def known(engine: Engine) -> Engine:
    """The learner is enrolled, and the LMS does not want the last of the lessons."""
    ingest(engine, entries([enrolled(LEARNER)]))
    execute(engine, f"ALTER TABLE user_course_progress ADD CHECK (lesson_id <> {REFUSED})")
    return engine


@contextmanager
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings, Authorization=f"Bearer {VALID}") as client:
        yield client


def assert_says_nothing(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        assert not [secret for secret in SECRETS if secret in json.dumps(line)], line


def happened(lines: list[dict[str, Any]], event: str, *members: str) -> list[Any]:
    found = [[line[member] for member in members] for line in lines if line["event"] == event]
    return [each[0] if len(each) == 1 else tuple(each) for each in found]


@pytest.mark.usefixtures("known")
def test_every_request_is_one_line_with_its_template_and_client(guarded: Settings, logged: Logged) -> None:
    hidden = as_json(viewed(LEARNER, TOPIC, LESSON, id="hidden", source="hidden"))
    with api(guarded) as client:
        client.post(f"{ROW}/view", headers={"Idempotency-Key": "hidden"}, json={"section_id": TOPIC})
        client.get(ROW, headers={"Authorization": f"Bearer {READING}"})
        client.get(ROW, headers={"Authorization": f"Bearer {WRONG}"})
        client.get(f"/progress/course/{LEARNER}?after={TOPIC}-{LESSON}&status=hidden")
        client.put(ROW, json={"status": "hidden", "hidden": LEARNER})
        client.put(ROW, content=b'{"status": "hidden', headers={"Content-Type": "application/json"})
        client.post("/events", json=[hidden, {"hidden": LEARNER}], headers=BATCH)
        client.post("/events", json=[hidden], headers=BATCH | {"Prefer": "respond-async"})
        client.post("/events", content=b"hidden" * 1_000, headers=BATCH)
        client.get(f"/hidden/{LEARNER}")
        assert client.get("/healthz").status_code == 200
    lesson = "/progress/{user_course_id}/{topic_id}/{lesson_id}"
    assert happened(logged(), "request_served", "method", "route", "status", "client") == [
        ("POST", f"{lesson}/view", 200, "lms"),
        ("GET", lesson, 403, "reader"),
        ("GET", None, 401, None),
        ("GET", "/progress/course/{user_course_id}", 422, "lms"),
        ("PUT", lesson, 422, "lms"),
        ("PUT", lesson, 422, "lms"),
        ("POST", "/events", 200, "lms"),
        ("POST", "/events", 202, "lms"),
        ("POST", None, 413, "lms"),
        ("GET", None, 404, "lms"),
        ("GET", "/healthz", 200, "lms"),
    ]
    assert_says_nothing(logged())


def test_a_crash_is_logged_once_and_not_explained_to_the_caller(
    guarded: Settings, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(_: object, *, user_course_id: int, topic_id: int, lesson_id: int) -> None:
        assert (user_course_id, topic_id, lesson_id) == (LEARNER, TOPIC, LESSON)
        raise RuntimeError("a defect")

    monkeypatch.setattr(UserCourseProgressService, "get_progress", crash)
    with api(guarded) as client:
        answer = client.get(ROW)
        assert client.get("/healthz").status_code == 200
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Internal error. It has been logged.",
    }
    lesson = "/progress/{user_course_id}/{topic_id}/{lesson_id}"
    assert happened(logged(), "request_crashed", "method", "route") == [("GET", lesson)]
    assert happened(logged(), "request_served", "status") == [500, 200]
    assert len([line for line in logged() if "RuntimeError" in json.dumps(line)]) == 1
    assert_says_nothing(logged())


def test_while_postgresql_is_away_the_caller_may_try_again(guarded: Settings, logged: Logged) -> None:
    away = {"database_url": "postgresql+psycopg://lms:hidden@127.0.0.1:1/lms", "connect_timeout_seconds": 1}
    with api(guarded.model_copy(update=away)) as client:
        event = as_json(viewed(LEARNER, TOPIC, LESSON))
        answers = [client.get(ROW), client.post(f"{ROW}/view"), client.post("/events", json=[event], headers=BATCH)]
        ready = client.get("/readyz")
    for answer in answers:
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, PROBLEM)
        assert answer.headers["Retry-After"] == "1"
        assert answer.json()["detail"] == "The database is unavailable or busy. Try again."
    assert (ready.status_code, ready.json()["checks"]["postgresql"]) == (503, False)
    assert "hidden" not in ready.text
    assert len(happened(logged(), "request_failed", "detail")) == 3
    assert happened(logged(), "request_crashed", "route") == []
    assert_says_nothing(logged())


def test_while_redis_is_away_the_caller_may_try_again(guarded: Settings, known: Engine, logged: Logged) -> None:
    before = snapshot(known)
    with api(guarded.model_copy(update={"redis_url": "redis://:hidden@127.0.0.1:1/0"})) as client:
        answer = client.post(f"{ROW}/view", headers={"Prefer": "respond-async"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert snapshot(known) == before
        assert client.post(f"{ROW}/view").status_code == 200
    assert len(happened(logged(), "request_failed", "detail")) == 1
    assert_says_nothing(logged())


def test_what_the_database_refuses_is_told_to_the_caller_alone(
    guarded: Settings, known: Engine, logged: Logged
) -> None:
    before = snapshot(known)
    with api(guarded) as client:
        answer = client.post(f"/progress/{LEARNER}/{TOPIC}/{REFUSED}/view")
        events = client.post("/events", json=[as_json(viewed(LEARNER, TOPIC, REFUSED))], headers=BATCH)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert "violates check constraint" in answer.json()["detail"]
    assert "Failing row" not in answer.text
    (verdict,) = events.json()["events"]
    assert (verdict["result"], verdict["reason"]) == ("rejected", "data_error")
    assert snapshot(known) == before
    assert_says_nothing(logged())


@pytest.mark.parametrize("path", ["/events", "/progress/"])
def test_a_caller_who_hangs_up_is_no_defect(path: str, guarded: Settings, known: Engine, logged: Logged) -> None:
    before = snapshot(known)
    kind = BATCH["Content-Type"] if path == "/events" else "application/json"
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {VALID}\r\nContent-Type: {kind}\r\n"
    with api(guarded) as client:
        with socket.create_connection(("127.0.0.1", client.base_url.port or 0), 20) as caller:
            caller.sendall(f"{head}Content-Length: 100\r\n\r\nhidden".encode())
            # Once another request is answered, the API has read this one's head.
            assert client.get("/healthz").status_code == 200
        wait_until(lambda: path in happened(logged(), "request_served", "route"), 20, "the line of that request")
    assert happened(logged(), "request_crashed", "route") == []
    assert snapshot(known) == before
    assert_says_nothing(logged())


def test_a_token_of_a_connection_that_the_file_does_not_have_is_a_warning(
    settings: Settings, tmp_path: Path, logged: Logged
) -> None:
    (file := tmp_path / "connections.toml").write_text('[moodle]\ntimezone = "UTC"')
    tokens = [
        {"name": name, "token": f"{VALID}-{name}", "scopes": ["write"], **limit}
        for name, limit in {
            "right": {"connection": "moodle"},
            "wrong": {"connection": "mooodle"},
            "any": {},
        }.items()
    ]
    guarded = settings.model_copy(update={"api_tokens": SecretStr(json.dumps(tokens))})
    with api(guarded):
        assert happened(logged(), "unknown_connection") == []
    with api(guarded.model_copy(update={"connections": file})):
        members = ("level", "token", "connection")
        assert happened(logged(), "unknown_connection", *members) == [("warning", "wrong", "mooodle")]
    assert VALID not in json.dumps(logged())
