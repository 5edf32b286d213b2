"""Who may call which endpoint, over every one that the OpenAPI document has: whatever is refused changes nothing.

What becomes of each event of a batch is in test_api_event_authorization.py.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.databases import clone_database, drop_database
from tests.support.events import enrolled, entries, outlined, viewed
from tests.support.named import named_viewed
from tests.support.tables import execute, snapshot
from worker.api.app import create_app
from worker.database.engine import open_engine
from worker.embedded.state import Servers
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.streams import connection
from worker.streams.connection import Redis

DOCUMENT = create_app(Settings(database_url="postgresql://h/d", redis_url="redis://h/0")).openapi()
COURSE, OTHER = 3, 4
OWN, FOREIGN, UNKNOWN = 1, 2, 77
"""An enrollment in the limited token's course, one in the other, and one that does not exist."""

COURSE_OF = {OWN: COURSE, FOREIGN: OTHER}
NAMES = {COURSE: "https://lms.example/courses/2", OTHER: "https://lms.example/courses/3"}
"""What two connections call the courses, and their learner and lesson."""
SPELLINGS = (
    NAMES | {UNKNOWN: "https://lms.example/courses/unknown"},
    {COURSE: '"courseid": 2', OTHER: '"courseid": 3', UNKNOWN: '"courseid": 4'},
    {COURSE: '"21070000000000002"', OTHER: '"21070000000000003"', UNKNOWN: '"21070000000000009"'},
    {COURSE: "a-guide", OTHER: "b-guide", UNKNOWN: "c-guide"},
)
"""How bodies name the courses."""
NAMED_OTHERWISE = [
    ("moodle", "course:2", COURSE),
    ("moodle", "course:3", OTHER),
    ("frappe", "a-guide", COURSE),
    ("canvas", "course:2", COURSE),
    ("canvas", "course:3", OTHER),
    ("caliper", NAMES[COURSE], COURSE),
    ("caliper", NAMES[OTHER], OTHER),
]
SOURCES, LEARNER, LESSON = ("moodle", "xapi"), "user:4", "cm:7"

TOKENS = [
    {"name": "all", "token": "everything-everywhere", "scopes": ["read", "write"]},
    {"name": "reader", "token": "reads-everywhere", "scopes": ["read"]},
    {"name": "writer", "token": "writes-everywhere", "scopes": ["write"]},
    {"name": "limited", "token": "everything-in-one-course", "scopes": ["read", "write"], "courses": [COURSE]},
    {"name": "nowhere", "token": "everything-in-no-course", "scopes": ["read", "write"], "courses": []},
]


class Endpoint(NamedTuple):
    """A method, a path and the content it takes, with what the document says of them."""

    method: str
    path: str
    operation: dict[str, Any]
    content_type: str | None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.method, self.path, self.content_type)))

    @property
    def other_scope(self) -> str:
        """The token that has only what this endpoint does not ask for."""
        return "writes-everywhere" if self.method == "GET" else "reads-everywhere"

    def call(self, client: httpx.Client, user_course_id: int, authorization: str | None, *others: str) -> Any:
        """Call it as its example does, for this enrollment or its course."""
        course_id = COURSE_OF.get(user_course_id, UNKNOWN)
        path = self.path.replace("{token}", "of-nobody").format(
            user_course_id=user_course_id, course_id=course_id, topic_id=1, lesson_id=1, table="headline"
        )
        headers = {"Authorization": authorization} if authorization is not None else {}
        headers |= dict(zip(others[::2], others[1::2], strict=True))
        content = None
        if self.content_type:
            headers["Content-Type"] = self.content_type
            schema = self.operation["requestBody"]["content"][self.content_type]["schema"]
            content = json.dumps(_for(user_course_id, _example(schema)))
            for spelled in SPELLINGS:
                content = content.replace(spelled[COURSE], spelled[course_id])
        values: dict[str, str | int] = {
            "user_course_id": user_course_id,
            "course_id": course_id,
            "connection": SOURCES[0],
        }
        values |= {"learner": LEARNER, "lesson": LESSON, "course": NAMES.get(course_id, "unknown")}
        asked = [each["name"] for each in self.operation.get("parameters", ()) if each["in"] == "query"]
        query = {name: value for name, value in values.items() if name in asked}
        return client.request(self.method, path, params=query, content=content, headers=headers)


def _example(schema: dict[str, Any]) -> Any:
    schema = schema.get("anyOf", [schema])[0]
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema["examples"][0]


def _for(user_course_id: int, example: Any) -> Any:
    if isinstance(example, list):  # of events, here those of a lesson, or of xAPI
        return [_for(user_course_id, each) for each in example if "lesson_id" in each.get("data", {"lesson_id": 0})]
    if not isinstance(example, dict):
        return example
    return {
        name: user_course_id if name == "user_course_id" else _for(user_course_id, value)
        for name, value in example.items()
    }


ALL = [
    Endpoint(method.upper(), path, operation, content_type)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    for content_type in operation.get("requestBody", {}).get("content", [None])
]
ENDPOINTS = [each for each in ALL if each.path not in {"/healthz", "/readyz"}]
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
every_endpoint_with_data = pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if each.path != "/xapi/about"], ids=str
)


class Guarded(NamedTuple):
    """An API with these tokens, and what it works on."""

    client: httpx.Client
    engine: Engine
    redis: Redis
    stream_key: str

    def everything(self) -> Any:
        """Each row of each table, and each entry of each stream."""
        streams = {key: self.redis.xrange(key) for key in self.redis.scan_iter(f"{self.stream_key}*")}
        return snapshot(self.engine), streams


@pytest.fixture(scope="module")
def guarded(servers: Servers, template: str) -> Iterator[Guarded]:
    """One for all of these tests, which are many: each enrollment has seen a lesson."""
    name, url = clone_database(servers.database_url, template)
    settings = Settings(
        database_url=url,
        redis_url=servers.redis_url,
        stream_key=f"test-{name}",
        api_tokens=SecretStr(json.dumps(TOKENS)),
        api_bad_requests_per_minute=1_000_000,
    )
    engine, redis = open_engine(settings), connection.connect(settings)
    ingest(engine, entries([outlined(COURSE, [(1, 1)]), outlined(OTHER, [(1, 1)])]))
    ingest(engine, entries([enrolled(OWN, course_id=COURSE), enrolled(FOREIGN, course_id=OTHER)]))
    ingest(engine, entries([viewed(OWN), viewed(FOREIGN)]))
    named = [(source, course, course_id) for source, (course_id, course) in product(SOURCES, NAMES.items())]
    for source, course, course_id in (*named, *NAMED_OTHERWISE):
        values = f"('course', '{source}', '{course}', 0, {course_id})"
        execute(engine, f"INSERT INTO external_id (kind, source, key, scope, id) VALUES {values}")
    ingest(engine, entries([named_viewed(LEARNER, LESSON, course) for course in NAMES.values()]))
    with served(settings) as client:
        yield Guarded(client, engine, redis, settings.stream_key)
    if keys := list(redis.scan_iter(f"{settings.stream_key}*")):
        redis.delete(*keys)
    redis.close()
    engine.dispose()
    drop_database(servers.database_url, name)


def is_refused(answer: httpx.Response) -> bool:
    """With 403 or, for a batch, each event by itself; a list shows nothing of another course."""
    path = answer.request.url.path
    if path in {"/courses", "/summaries"}:
        assert answer.status_code == 200, answer.text
        return {each["course_id"] for each in answer.json().get("courses", ())} <= {COURSE} and not answer.json().get(
            "summaries"
        )
    if answer.status_code != 403:
        assert path == "/events", answer.text
        assert {each["result"] for each in answer.json()["events"]} == {"rejected"}
        return {each["reason"] for each in answer.json()["events"]} == {"forbidden"}
    return answer.headers["Content-Type"] == "application/problem+json"


SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}]


def test_only_the_health_endpoints_ask_for_no_token() -> None:
    assert len(ENDPOINTS) == len(ALL) - 2
    assert [str(each) for each in ENDPOINTS if each.operation.get("security") != SECURITY] == []


CHALLENGES = 'Bearer realm="progress", Basic realm="progress", charset="UTF-8"'


def basic(pair: str) -> str:
    """The header for this user and password."""
    return f"Basic {b64encode(pair.encode()).decode()}"


@every_endpoint
def test_without_a_valid_token_nobody_comes_in(endpoint: Endpoint, guarded: Guarded) -> None:
    good = "everything-everywhere"
    wrong = [None, "", "Bearer", good, f"Basic {good}", f"Token {good}", f"Bearer {good}x", f"Bearer x{good}"]
    wrong += ["Basic", "Basic Og==", *map(basic, (f"lms:{good}x", f"{good}:", f"{good}:{good}x", good, f"a:b:{good}"))]
    before = guarded.everything()
    for authorization in wrong:
        for others in ((), ("Prefer", "respond-async"), ("X-Api-Key", good), ("Cookie", f"token={good}")):
            answer = endpoint.call(guarded.client, OWN, authorization, *others)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, CHALLENGES)
            assert good not in answer.text
    assert guarded.everything() == before


@every_endpoint_with_data
def test_a_token_without_the_scope_is_refused(endpoint: Endpoint, guarded: Guarded) -> None:
    before = guarded.everything()
    for others in ((), ("Prefer", "respond-async")):
        answer = endpoint.call(guarded.client, OWN, f"Bearer {endpoint.other_scope}", *others)
        assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert guarded.everything() == before


@every_endpoint_with_data
def test_a_token_without_the_course_is_refused(endpoint: Endpoint, guarded: Guarded) -> None:
    before = guarded.everything()
    for others in ((), ("Prefer", "respond-async")):
        assert is_refused(endpoint.call(guarded.client, OWN, "Bearer everything-in-no-course", *others))
        assert is_refused(endpoint.call(guarded.client, FOREIGN, "Bearer everything-in-one-course", *others))
        assert is_refused(endpoint.call(guarded.client, UNKNOWN, "Bearer everything-in-one-course", *others))
    assert guarded.everything() == before


@every_endpoint
def test_a_limited_token_does_everything_in_its_course(endpoint: Endpoint, guarded: Guarded) -> None:
    user_and_token = basic("lms:everything-in-one-course"), basic(":everything-in-one-course")
    for authorization in (*(f"{scheme} everything-in-one-course" for scheme in ("Bearer", "bearer")), *user_and_token):
        answer = endpoint.call(guarded.client, OWN, authorization)
        assert answer.is_success, answer.text
        assert "rejected" not in answer.text
    before = guarded.everything()
    answer = endpoint.call(guarded.client, OWN, "Bearer everything-in-one-course", "Prefer", "respond-async")
    is_async = "202" in endpoint.operation["responses"]
    assert answer.status_code in ({202} if is_async else {200, 204}), answer.text
    if is_async:  # so the comparison sees a stream's change
        assert guarded.everything() != before


@pytest.mark.parametrize("token", ["reads-everywhere", "writes-everywhere", "everything-in-no-course"])
def test_any_token_may_ask_for_the_versions_of_xapi(token: str, guarded: Guarded) -> None:
    """Senders test their connection by it, and some have no scope but `write`."""
    answer = guarded.client.get("/xapi/about", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()) == (200, {"version": ["1.0.3", "2.0.0"]})
