"""Every endpoint of the OpenAPI document, called with the document's own examples, beside a real worker and beat."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import ServeProcess
from tests.support.commands import run
from tests.support.databases import clone_database, drop_database
from tests.support.events import completed, corrected, entry, numbered, outlined, viewed
from tests.support.model import expected_state
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.api.record_doors import DOORS
from worker.contract.event import Event
from worker.contract.parse import parse_entry
from worker.embedded.state import Servers
from worker.progress.lesson_event import SOURCE
from worker.summary.rules import summaries

LESSON = "/progress/{user_course_id}/{topic_id}/{lesson_id}"
COURSE = "/progress/course/{user_course_id}"
ROW = ("user_course_id", "topic_id", "lesson_id", "status", "last_viewed_at", "completed_at")
COUNTS = ("total_lessons", "completed_lessons", "in_progress_lessons", "current_lesson_id", "next_lesson_id")
METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}


@dataclass(frozen=True)
class Exchange:
    """An example that was sent, None where there is no body, under which Idempotency-Key, and what was answered."""

    example: Any
    key: str
    answer: Any


class Documented:
    """The API as its document describes it; `answered` has which of the promised successes came."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        document = client.get("/openapi.json").raise_for_status().json()
        self._schemas = document["components"]["schemas"]
        self._operations: dict[tuple[str, str], dict[str, Any]] = {
            (method, path): item[method] for path, item in document["paths"].items() for method in METHODS & set(item)
        }
        self.answered: set[tuple[str, str, str]] = set()

    def promised(self) -> set[tuple[str, str, str]]:
        """Every endpoint with every success that the document names."""
        return {
            (*key, status)
            for key, operation in self._operations.items()
            for status in operation["responses"]
            if status.startswith("2")
        }

    def bodies(self) -> dict[tuple[str, str], dict[str, list[Any]]]:
        """The examples of each endpoint that takes a body, by media type."""
        return {
            key: {media: self._examples(each["schema"]) for media, each in operation["requestBody"]["content"].items()}
            for key, operation in self._operations.items()
            if "requestBody" in operation
        }

    def call(
        self,
        method: str,
        path: str,
        lesson_id: int = 1,
        prefer: str = "",
        query: dict[str, int | str] | None = None,
        *,
        named: bool = False,
    ) -> list[Exchange]:
        """Send every example of the endpoint, with names or without, or no body where it takes none.

        Each must be a success.
        """
        url = path.replace("{token}", "none").format(
            user_course_id=1, course_id=3, topic_id=1, lesson_id=lesson_id, table="lessons"
        )
        bodies = self.bodies().get((method, path), {})
        requests = [(media, each) for media, shown in bodies.items() for each in shown]
        if bodies:
            requests = [(media, each) for media, each in requests if ('"learner"' in json.dumps(each)) is named]
        exchanges = []
        for media, example in requests or [("", None)]:
            key = str(uuid4())
            headers = {"Idempotency-Key": key, "Prefer": prefer, "Content-Type": media}
            sent = {name: value for name, value in headers.items() if value}
            content = json.dumps(example) if media else None
            answer = self._client.request(method, url, params=query, content=content, headers=sent)
            assert answer.is_success, (method, url, example, answer.text)
            self.answered.add((method, path, str(answer.status_code)))
            is_json = answer.headers.get("Content-Type", "").endswith("json")
            exchanges.append(Exchange(example, key, answer.json() if is_json else answer.text))
        return exchanges

    def get(self, path: str, **query: int | str) -> Any:
        """What a GET answers."""
        [exchange] = self.call("get", path, query=query)
        return exchange.answer

    def _examples(self, schema: dict[str, Any]) -> list[Any]:
        """Those of the schema, where it points, or of its alternatives."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        alternatives = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
        return [*schema.get("examples", []), *(shown for each in alternatives for shown in self._examples(each))]


@pytest.fixture
def api(system: System, tmp_path: Path) -> Iterator[Documented]:
    process = ServeProcess(system.environment(), tmp_path / "serve.log")
    with httpx.Client(base_url=str(process.url), timeout=30) as client:
        yield Documented(client)
    process.close()


def test_every_endpoint_does_what_its_examples_say_and_the_rows_are_the_models(system: System, api: Documented) -> None:
    assert [(key, media) for key, body in api.bodies().items() for media, shown in body.items() if not shown] == []
    system.start_worker(2)
    system.start_beat()
    events: list[Event] = [outlined(3, [(1, 1, "One"), (1, 3), (1, 2), (2, 1)], seconds=86_400)]
    system.publish(events)
    events += submit(api)
    made = make(api)
    events += corrections(system.engine, made)
    events += mark(api, [1], prefer="")
    events += mark(api, [each.answer["lesson_id"] for each in made], prefer="respond-async")
    system.wait_until_drained()
    events += corrections(system.engine, put(api))

    state = expected_state(events)
    row = api.get(LESSON)
    assert api.get(f"{COURSE}/topic/{{topic_id}}")["lessons"][0] == row | {"title": "One"}
    shown = {(each["topic_id"], each["lesson_id"]): each["status"] for each in api.get(COURSE)["lessons"]}
    assert shown.pop((2, 1)) == "not_started"
    assert shown == {key[1:]: progress.status for key, progress in state.progress.items()}
    summary, expected = api.get(f"{COURSE}/summary"), summaries(state)[1]
    assert {name: summary[name] for name in COUNTS} == {name: getattr(expected, name) for name in COUNTS}
    assert len(api.get("/progress/", user_course_id=1)["rows"]) == len(state.progress)
    listed = [
        *api.get("/summaries", user_course_id=1)["summaries"],
        *api.get("/enrollments", course_id=3)["enrollments"],
    ]
    assert [{name: each[name] for name in COUNTS} for each in listed] == [{name: summary[name] for name in COUNTS}] * 2
    assert [(each["course_id"], each["total_lessons"]) for each in api.get("/courses")["courses"]] == [(3, 4)]
    visited = {
        (each["topic_id"], each["lesson_id"]) for each in api.get("/analytics/learner/{user_course_id}")["lessons"]
    }
    assert visited <= set(shown)
    history = api.get("/analytics/learner/{user_course_id}/topic/{topic_id}/lesson/{lesson_id}")
    assert (history["status"], history["completed_at"]) == (row["status"], row["completed_at"])
    assert api.get("/analytics/course/{course_id}")["course_id"] == 3
    for report in ("/reports/course/{course_id}", "/reports/learner/{user_course_id}"):
        columns = api.get(f"{report}/{{table}}.json")["columns"]
        assert api.get(f"{report}/{{table}}.csv").splitlines()[0] == ",".join(each["name"] for each in columns)
        assert api.get(report).startswith("<!doctype html>")
    assert api.get("/healthz") == {"ok": True, "checks": {}}
    assert api.get("/readyz") == {"ok": True, "checks": {"postgresql": True, "redis": True}}

    system.assert_exact(events)
    audit = run(system.environment(), "audit")
    assert audit.returncode == 0, audit.stdout

    name_things(system, api)
    assert api.promised() - api.answered == set(), "never called, or never answered like this"


def name_things(system: System, api: Documented) -> None:
    """Send the examples with names, and find their numbers."""
    for prefer in ("", "respond-async"):
        assert {
            each["result"]
            for sent in api.call("post", "/events", prefer=prefer, named=True)
            for each in sent.answer["events"]
        } == {"accepted" if prefer else "applied"}
    for method in ("post", "put"):
        assert api.call(method, "/xapi/statements")
    for path in (*(door.path for door in DOORS), "/canvas/{token}"):
        assert {exchange.answer for exchange in api.call("post", path)} == {""}
    assert api.get("/xapi/about")["version"]
    system.wait_until_drained()
    assert rows(system.engine, "SELECT count(*) FROM dead_letter") == [(0,)]
    moodle = {"connection": "moodle", "course": "course:2"}
    found = api.get("/map/enrollment", learner="user:4", **moodle)
    assert api.get("/map/lesson", lesson="cm:7", **moodle)["course_id"] == found["course_id"]
    shown = api.get("/enrollments", user_id=found["user_id"])["enrollments"]
    assert [each["user_course_id"] for each in shown] == [found["user_course_id"]]


def submit(api: Documented) -> Iterator[Event]:
    """Submit the examples' events, which make its enrollment; once more by the stream, which changes nothing."""
    for prefer, result in (("", "applied"), ("respond-async", "accepted")):
        for each in api.call("post", "/events", prefer=prefer):
            sent = each.example if isinstance(each.example, list) else [each.example]
            verdicts = [(verdict["id"], verdict["result"]) for verdict in each.answer["events"]]
            assert verdicts == [(event["id"], result) for event in sent]
            yield from (numbered(parse_entry(entry(event))) for event in sent)


def make(api: Documented) -> list[Exchange]:
    """Make the rows of the examples, and find them there."""
    made = api.call("post", "/progress/")
    assert [each.answer | each.example for each in made] == [each.answer for each in made]
    assert [each.answer for each in api.call("post", "/progress/")] == [each.answer for each in made]
    return made


def mark(api: Documented, lesson_ids: list[int], prefer: str) -> Iterator[Event]:
    """View and complete the lessons; the same as events."""
    for (action, event), lesson_id in product((("view", viewed), ("complete", completed)), lesson_ids):
        for each in api.call("post", f"{LESSON}/{action}", lesson_id, prefer):
            said = dict(each.example)
            time = said.pop("occurred_at")
            assert each.answer == {"event_id": each.key} if prefer else each.answer["last_viewed_at"] >= time
            yield event(1, 1, lesson_id, id=each.key, source=SOURCE, time=time, **said)


def put(api: Documented) -> list[Exchange]:
    """Set the row by hand; each answer has what was set."""
    done = api.call("put", LESSON)
    assert [each.answer | each.example for each in done] == [each.answer for each in done]
    return done


def corrections(engine: Engine, exchanges: list[Exchange]) -> Iterator[Event]:
    """The corrections that these requests made, at the times that they were given; a blank row is none."""
    for each in exchanges:
        found = rows(engine, "SELECT occurred_at FROM lesson_event WHERE event_id = CAST(:id AS uuid)", id=each.key)
        row = {name: each.answer[name] for name in ROW}
        yield from (corrected(**row, id=each.key, source=SOURCE, time=time) for (time,) in found)


@pytest.mark.second_tier
def test_it_is_not_ready_while_the_tables_or_postgresql_are_missing(
    system: System, servers: Servers, tmp_path: Path
) -> None:
    name, url = clone_database(servers.database_url, None)
    process = ServeProcess(system.environment(database_url=url), tmp_path / "serve.log")
    try:
        with httpx.Client(base_url=str(process.url), timeout=30) as client:
            assert client.get("/healthz").status_code == 200
            assert readiness(client) == (503, {"postgresql": False, "redis": True})
            assert run(system.environment(database_url=url), "migrate").returncode == 0
            wait_until(lambda: readiness(client)[0] == 200, 30, "readiness once the tables are there")
            drop_database(servers.database_url, name)
            wait_until(lambda: readiness(client)[0] == 503, 30, "the end of readiness")
            assert client.get("/healthz").json() == {"ok": True, "checks": {}}
            answer = client.get("/progress/1/1/1")
            assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    finally:
        process.close()


def readiness(client: httpx.Client) -> tuple[int, dict[str, bool]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["checks"]
