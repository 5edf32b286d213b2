"""Named events over HTTP: their verdicts, which of them a token may send, and our ids for their names."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.doors import consume
from tests.support.events import as_json, at, completed, enrolled, entries, viewed
from tests.support.named import (
    named_completed,
    named_enrolled,
    named_outlined,
    named_reopened,
    named_viewed,
    rows_by_name,
)
from tests.support.tables import execute, rows, snapshot
from tests.support.xapi import learner_name, statement
from worker.consume.consumer import Consumer
from worker.contract.event import CloudEvent
from worker.contract.named_event import NAMED_EVENT_TYPES
from worker.progress.ingest import ingest
from worker.settings import Settings, get_settings
from worker.streams.connection import Redis
from worker.streams.keys import Keys

BATCH, SINGLE = "application/cloudevents-batch+json", "application/cloudevents+json"
Verdicts = list[tuple[str, str | None]]
APPLIED, REPEATED, ACCEPTED = ("applied", None), ("repeated", None), ("accepted", None)
FORBIDDEN = ("rejected", "forbidden")


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings) as client:
        yield client


def post(client: httpx.Client, events: Iterable[CloudEvent | dict[str, Any]], **headers: str) -> Verdicts:
    """The verdicts on a batch."""
    documents = [as_json(each) if isinstance(each, CloudEvent) else each for each in events]
    answer = client.post("/events", content=json.dumps(documents), headers={"Content-Type": BATCH, **headers})
    assert answer.status_code == (202 if headers.get("Prefer") else 200), answer.text
    return [(each["result"], each["reason"]) for each in answer.json()["events"]]


def post_one(client: httpx.Client, event: CloudEvent | dict[str, Any]) -> httpx.Response:
    document = as_json(event) if isinstance(event, CloudEvent) else event
    return client.post("/events", content=json.dumps(document), headers={"Content-Type": SINGLE})


def test_events_of_every_type_are_applied_with_names_and_numbers_in_one_batch(
    api: httpx.Client, engine: Engine
) -> None:
    sent: list[CloudEvent] = [
        named_completed(seconds=1),
        named_completed(lesson="l2", seconds=1),
        named_reopened(lesson="l2", seconds=2),
        named_outlined(lessons=["l1", "l2"]),
        named_enrolled(timezone="Asia/Tokyo"),
        viewed(1),
        enrolled(1),
    ]
    assert {type(each) for each in [*sent, named_viewed()]} >= set(NAMED_EVENT_TYPES)
    assert post(api, [*sent, sent[0]]) == [*[APPLIED] * 7, REPEATED]
    assert post(api, [named_viewed(course=None, seconds=5)]) == [APPLIED]
    assert rows_by_name(engine) == {
        ("moodle", "ann", "c1", "l1"): ("completed", at(5), at(1)),
        ("moodle", "ann", "c1", "l2"): ("in_progress", at(2), None),
    }
    assert post(api, [named_outlined(lessons=[], seconds=-9)]) == [("superseded", None)]


def test_each_is_rejected_alone_and_leaves_nothing(api: httpx.Client, engine: Engine) -> None:
    mixed = as_json(named_viewed())
    mixed["data"]["lesson_id"] = 1
    nameless, long = as_json(named_viewed()), as_json(named_viewed())
    nameless["data"]["learner"], long["data"]["course"] = "", "x" * 1_025
    sent: list[CloudEvent | dict[str, Any]] = [
        mixed,
        nameless,
        long,
        named_viewed(lesson="new", course=None),
        named_viewed(enrols=False),
        named_viewed("bob"),
    ]
    reasons = ["invalid_event", "invalid_event", "invalid_event", "unknown_lesson", "unknown_enrollment"]
    assert post(api, sent) == [*(("rejected", reason) for reason in reasons), APPLIED]
    assert [key[1] for key in rows_by_name(engine)] == ["bob"]
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_single_one_has_a_status_for_its_reason(
    api: httpx.Client, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rows(engine, "SELECT 1")
    (tmp_path / "connections.toml").write_text('[closed]\nids = "refuse"')
    monkeypatch.setenv("PROGRESS_CONNECTIONS", str(tmp_path / "connections.toml"))
    expected: dict[str, tuple[CloudEvent | dict[str, Any], int]] = {
        "unknown_lesson: ": (named_viewed(course=None), 404),
        "unknown_enrollment: ": (named_viewed(enrols=False), 404),
        "unmapped: ": (named_viewed(source="closed"), 422),
        "invalid_event: ": ({**as_json(named_viewed()), "data": {"learner": "ann"}}, 422),
    }
    for reason, (event, status) in expected.items():
        answer = post_one(api, event)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
        assert answer.json()["detail"].startswith(reason), answer.text


@pytest.mark.parametrize("prefer", [None, "respond-async"])
def test_the_detail_says_what_becomes_of_an_event_whose_names_are_unknown(
    prefer: str | None,
    api: httpx.Client,
    engine: Engine,
    consumer: Consumer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sent without `respond-async` nothing is kept of it; a dead letter waits or can be redriven."""
    (tmp_path / "connections.toml").write_text('[closed]\nids = "refuse"\n[outlined]\nlessons = "outline"')
    monkeypatch.setenv("PROGRESS_CONNECTIONS", str(tmp_path / "connections.toml"))
    get_settings.cache_clear()
    sent = [
        named_viewed(course=None, lesson="a: b"),
        named_viewed(source="outlined"),
        named_viewed(source="closed"),
    ]
    if prefer:
        assert post(api, sent, Prefer=prefer) == [ACCEPTED] * 3
        consume(consumer)
        details = [str(detail) for (detail,) in rows(engine, "SELECT detail FROM dead_letter ORDER BY reason, id")]
        assert [detail.rpartition(": ")[2] for detail in details] == [
            *["waits for an outline"] * 2,
            "load it with `progress-worker map load`, then redrive",
        ]
        return
    again = "send the event again once an outline has the lesson"
    loaded = "load it with `progress-worker map load`, then send the event again"
    for event, what, advice in zip(sent, ["'a: b'", "not in course", "closed"], [again, again, loaded], strict=True):
        detail = post_one(api, event).json()["detail"]
        assert what in detail
        assert detail.endswith(f": {advice}")
        assert "waits" not in detail
        assert "redrive" not in detail
    answer = api.post("/events", content=json.dumps([as_json(sent[0])]), headers={"Content-Type": BATCH})
    assert answer.json()["events"][0]["detail"].endswith(f": {again}")
    assert rows(engine, "SELECT 1 FROM dead_letter") == []


def test_an_event_of_an_ignored_user_is_ignored(api: httpx.Client, engine: Engine) -> None:
    assert post(api, [named_viewed(), named_viewed("bob")]) == [APPLIED] * 2
    execute(engine, "UPDATE external_id SET ignored = true WHERE key = 'bob'")
    assert post(api, [named_completed("bob"), named_completed()]) == [("ignored", None), APPLIED]
    answer = post_one(api, named_completed("bob"))
    assert (answer.status_code, answer.json()["events"][0]["result"]) == (200, "ignored")


def test_respond_async_appends_to_the_partition_of_the_learner_or_course(
    api: httpx.Client, settings: Settings, redis: Redis, engine: Engine, consumer: Consumer
) -> None:
    sent = {"ann": named_viewed(), "bob": named_enrolled("bob"), "c1": named_outlined(lessons=["l1"])}
    assert post(api, sent.values(), Prefer="respond-async") == [ACCEPTED] * 3
    keys, found = Keys.of(settings), dict[str, set[str]]()
    for stream in keys.streams:
        entries_of: Any = redis.xrange(stream)
        for _, fields in entries_of:
            found.setdefault(stream, set()).add(json.loads(fields[b"event"])["id"])
    expected: dict[str, set[str]] = {}
    for name, event in sent.items():
        expected.setdefault(keys.stream_for(crc32(name.encode())), set()).add(event.id)
    assert found == expected
    consume(consumer)
    assert rows_by_name(engine) == {("moodle", "ann", "c1", "l1"): ("in_progress", at(0), None)}


OF_MOODLE, OF_ONE_COURSE, OF_BOTH, OF_NONE = (
    "of-moodle-everywhere",
    "in-the-first-course",
    "moodles-first-course",
    "n" * 16,
)


@pytest.fixture
def guarded(settings: Settings, engine: Engine) -> Settings:
    """Two courses of moodle and one of canvas have a lesson each; the tokens know the first."""
    named = [named_viewed(), named_viewed(lesson="l2", course="c2"), named_viewed(source="canvas")]
    numbered = [enrolled(1, course_id=3), viewed(1)]
    ingest(engine, entries([*named, *numbered]))
    query = "SELECT id FROM external_id WHERE (kind, source, key) = ('course', 'moodle', 'c1')"
    first = [*rows(engine, query)[0], 3]
    limits: dict[str, dict[str, Any]] = {
        OF_MOODLE: {"connection": "moodle"},
        OF_ONE_COURSE: {"courses": first},
        OF_BOTH: {"connection": "moodle", "courses": first},
        OF_NONE: {"connection": "moodle", "courses": []},
    }
    tokens = [{"name": token, "token": token, "scopes": ["read", "write"], **each} for token, each in limits.items()]
    return settings.model_copy(update={"api_tokens": SecretStr(json.dumps(tokens))})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


ELSEWHERE: list[CloudEvent] = [
    named_viewed(course="c2", lesson="l2", seconds=9),
    named_completed(course="c2", seconds=9),
    named_reopened(course="c2", lesson="l2", seconds=9),
    named_enrolled(course="c2", seconds=9),
    named_outlined("c2", ["l1"], seconds=9),
    named_viewed(course=None, lesson="l2", seconds=9),
]
"""In moodle's other course."""
NOWHERE: list[CloudEvent] = [
    named_viewed(course="new", seconds=9),
    named_enrolled(course="new", seconds=9),
    named_outlined("new", ["l1"], seconds=9),
    named_viewed(course=None, lesson="new", seconds=9),
]
"""In no course that the map has."""
IN_ITS_COURSE: list[CloudEvent] = [
    named_completed(seconds=9),
    named_viewed(lesson="new", seconds=9),
    named_reopened(lesson="l3", seconds=9),
    named_viewed("newcomer", course=None, seconds=9),
    named_enrolled("another", seconds=9),
    named_outlined(lessons=["l1", "new", "l3"], seconds=9),
]
OF_CANVAS: list[CloudEvent] = [
    event.model_copy(update={"source": "canvas"}) for event in (*ELSEWHERE, *NOWHERE, *IN_ITS_COURSE)
]
either_way = pytest.mark.parametrize("preference", [{}, {"Prefer": "respond-async"}], ids=["at once", "by the stream"])


@either_way
def test_a_token_of_one_connection_names_nothing_in_another(
    preference: dict[str, str], guarded: Settings, engine: Engine, redis: Redis
) -> None:
    before = snapshot(engine)
    good = ACCEPTED if preference else APPLIED
    with served(guarded, **bearer(OF_MOODLE)) as client:
        assert post(client, OF_CANVAS, **preference) == [FORBIDDEN] * len(OF_CANVAS)
        answer = post_one(client, OF_CANVAS[0])
        assert (answer.status_code, "another connection" in answer.json()["detail"]) == (403, True)
        assert snapshot(engine) == before
        assert not list(redis.scan_iter(f"{guarded.stream_key}*", _type="stream"))
        assert post(client, [completed(1, seconds=9), *ELSEWHERE[:5]], **preference) == [good] * 6


@either_way
@pytest.mark.parametrize("token", [OF_ONE_COURSE, OF_BOTH])
def test_a_limited_token_stays_in_its_course_by_name(
    token: str, preference: dict[str, str], guarded: Settings, engine: Engine, redis: Redis, consumer: Consumer
) -> None:
    before = snapshot(engine)
    good = ACCEPTED if preference else APPLIED
    foreign = [*ELSEWHERE, *NOWHERE, *OF_CANVAS]
    with served(guarded, **bearer(token)) as client:
        assert post(client, foreign, **preference) == [FORBIDDEN] * len(foreign)
        assert {post_one(client, each).status_code for each in foreign} == {403}
        assert snapshot(engine) == before
        assert not list(redis.scan_iter(f"{guarded.stream_key}*", _type="stream"))
        both = [each for pair in zip(IN_ITS_COURSE, foreign, strict=False) for each in pair]
        assert post(client, both, **preference) == [good, FORBIDDEN] * len(IN_ITS_COURSE)
        assert post(client, [viewed(1, seconds=9), enrolled(77, course_id=3)], **preference) == [good, FORBIDDEN]
    consume(consumer)
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]
    changed = {key for key, (_, last, _) in rows_by_name(engine).items() if last == at(9)}
    assert {key[:3:2] for key in changed} == {("moodle", "c1")}
    assert {key[3] for key in changed} == {"l1", "l3", "new"}


@either_way
def test_a_limited_token_gives_no_course_to_events_that_wait_for_one(
    preference: dict[str, str], guarded: Settings, engine: Engine, redis: Redis
) -> None:
    """They may be of another course, as may those that wait for an enrollment."""
    waiting = [named_viewed("eve", lesson=lesson, course=None) for lesson in ("awaited", "also awaited")]
    ingest(engine, entries([*waiting, named_viewed("eve", lesson="elsewhere", course=None, source="canvas")]))
    before = snapshot(engine)
    naming = [
        named_viewed(lesson="awaited", seconds=9),
        named_completed(lesson="also awaited", seconds=9),
        named_outlined(lessons=["l1", "l2", "awaited"], seconds=9),
        named_outlined(lessons=["l1", {"lesson": "l2", "aliases": ["x", "also awaited"]}], seconds=9),
    ]
    with served(guarded, **bearer(OF_BOTH)) as client:
        assert post(client, naming, **preference) == [FORBIDDEN] * 4
        assert client.post("/xapi/statements", json=statement(course="c1", lesson="awaited")).status_code == 403
        assert snapshot(engine) == before
        assert not list(redis.scan_iter(f"{guarded.stream_key}*", _type="stream"))
        good = ACCEPTED if preference else APPLIED
        assert post(client, [named_viewed(lesson="elsewhere", seconds=9)], **preference) == [good]
    with served(guarded, **bearer(OF_MOODLE)) as client:
        assert post(client, naming, **preference) == [good] * 4


def test_a_lesson_in_several_courses_is_none_of_its_course(guarded: Settings, engine: Engine) -> None:
    ingest(engine, entries([named_viewed("bob", course="c2")]))
    with served(guarded, **bearer(OF_BOTH)) as client:
        assert post(client, [named_viewed(course=None, seconds=9)]) == [FORBIDDEN]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_statements_of_another_course_refuse_the_whole_request(
    method: str, guarded: Settings, engine: Engine, redis: Redis
) -> None:
    before = snapshot(engine)
    own, foreign = statement(course="c1"), statement(course="c2")
    bodies: Sequence[Any] = [foreign, statement(course="new"), statement(course=None)]
    if method == "POST":
        bodies = [*bodies, [own, foreign], [{}, foreign, statement(verb="answered")]]
    with served(guarded, **bearer(OF_BOTH)) as client:
        for body in bodies:
            answer = client.request(method, "/xapi/statements", json=body)
            assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
            assert "None of them was taken" in answer.json()["detail"]
        assert snapshot(engine) == before
        assert not list(redis.scan_iter(f"{guarded.stream_key}*", _type="stream"))
        assert client.request(method, "/xapi/statements", json=own).is_success
        assert client.request(method, "/xapi/statements", json=statement(course=None, lesson="l1")).is_success
    with served(guarded, **bearer(OF_ONE_COURSE)) as client:  # whose statements are of the connection xapi
        assert client.request(method, "/xapi/statements", json=own).status_code == 403


ENROLLMENT, LESSON = "/map/enrollment", "/map/lesson"
ANN = {"connection": "moodle", "learner": "ann", "course": "c1"}
L1 = {"connection": "moodle", "lesson": "l1", "course": "c1"}


def test_names_are_looked_up(api: httpx.Client, engine: Engine) -> None:
    ingest(engine, entries([named_completed(), named_viewed(lesson="l2"), named_viewed(lesson="l2", course="c2")]))
    found = api.get(ENROLLMENT, params=ANN).json()
    assert rows(engine, "SELECT id, user_id, course_id FROM user_course ORDER BY id LIMIT 1") == [
        (found["user_course_id"], found["user_id"], found["course_id"])
    ]
    place = api.get(LESSON, params=L1).json()
    assert api.get(LESSON, params=L1 | {"course": ""}).status_code == 422
    assert api.get(LESSON, params={"connection": "moodle", "lesson": "l1"}).json() == place
    row = api.get(f"/progress/{found['user_course_id']}/{place['topic_id']}/{place['lesson_id']}").json()
    assert (row["status"], place["course_id"]) == ("completed", found["course_id"])
    assert list(found) == ["user_course_id", "user_id", "course_id"]
    assert list(place) == ["course_id", "topic_id", "lesson_id"]
    in_two = {"connection": "moodle", "lesson": "l2"}
    assert {api.get(LESSON, params=in_two | more).status_code for more in ({"course": "c1"}, {"course": "c2"})} == {200}
    unknown = [(LESSON, in_two), *((ENROLLMENT, ANN | {name: "X"}) for name in ANN)]
    unknown += [(LESSON, L1 | {name: "X"}) for name in L1]
    for path, query in unknown:
        answer = api.get(path, params=query)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json"), query
        assert not {"moodle", "ann", "l1"} & set(answer.json()["detail"].split())
    for name, value in product(ANN, ("", "a\0b", "x" * 1_025)):
        assert api.get(ENROLLMENT, params=ANN | {name: value}).status_code == 422
        assert api.get(ENROLLMENT, params={key: each for key, each in ANN.items() if key != name}).status_code == 422


def test_what_a_token_may_not_see_looks_like_what_is_not_there(guarded: Settings) -> None:
    """The 403 is the same, so that a token cannot find out what is in other courses or connections."""
    details = set()
    with served(guarded) as client:
        for token in (OF_BOTH, OF_ONE_COURSE):
            assert client.get(ENROLLMENT, params=ANN, headers=bearer(token)).status_code == 200
            assert client.get(LESSON, params=L1, headers=bearer(token)).status_code == 200
            hidden = [(ENROLLMENT, ANN | {"course": course}) for course in ("c2", "X")]
            hidden += [(ENROLLMENT, ANN | {"learner": "X"})]
            for path, query in hidden:
                answer = client.get(path, params=query, headers=bearer(token))
                assert answer.status_code == 403
                details.add(answer.json()["detail"].replace(token, ""))
            for query in ({"lesson": "l2", "course": "c2"}, {"lesson": "X"}, {"lesson": "l2"}):
                both = {"connection": "moodle", **query}
                assert client.get(LESSON, params=both, headers=bearer(token)).status_code == 403
        for token, query in product((OF_MOODLE, OF_BOTH, OF_NONE), (ANN, ANN | {"learner": "X"})):
            answer = client.get(ENROLLMENT, params=query | {"connection": "canvas"}, headers=bearer(token))
            assert (answer.status_code, "another connection" in answer.json()["detail"]) == (403, True)
        assert client.get(ENROLLMENT, params=ANN | {"learner": "X"}, headers=bearer(OF_MOODLE)).status_code == 404
        assert client.get(ENROLLMENT, params=ANN, headers=bearer(OF_NONE)).status_code == 403
    assert len(details) == 1


def test_a_learner_of_xapi_is_found(api: httpx.Client, engine: Engine, consumer: Consumer) -> None:
    assert (
        api.post("/xapi/statements", json=[statement("größe", lesson="https://e.example/ä?b=1&c")]).status_code == 200
    )
    consume(consumer)
    assert len(rows_by_name(engine)) == 1
    query = {"connection": "xapi", "learner": learner_name("größe"), "course": "https://lms.example/c1"}
    assert api.get(ENROLLMENT, params=query).status_code == 200
    assert api.get(LESSON, params={"connection": "xapi", "lesson": "https://e.example/ä?b=1&c"}).status_code == 200
