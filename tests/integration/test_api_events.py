"""`POST /events`: the rules of the streams, with a verdict on each event and nothing left behind."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.events import as_json, at, body, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.rollups import audited
from tests.support.tables import counted_statements, execute, insert_as_lms, rows, snapshot
from worker.contract.entry import FIELD, Entry
from worker.contract.event import CloudEvent, Event
from worker.contract.named_event import NamedEvent
from worker.contract.parse import parse_entry
from worker.progress.ingest import ingest
from worker.progress.submit import arriving, submit
from worker.settings import Settings
from worker.streams.connection import Redis
from worker.streams.keys import Keys

MEDIA_TYPE = "application/cloudevents-batch+json"
Content = CloudEvent | Mapping[str, Any]


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(settings) as client:
        yield client


def post(api: httpx.Client, contents: Sequence[Content], **headers: str) -> httpx.Response:
    documents = [as_json(each) if isinstance(each, CloudEvent) else each for each in contents]
    return api.post("/events", content=json.dumps(documents), headers={"Content-Type": MEDIA_TYPE, **headers})


def verdicts(answer: httpx.Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


def results(answer: httpx.Response) -> list[tuple[str, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(each["result"], each["reason"]) for each in verdicts(answer)]


APPLIED, REPEATED, SUPERSEDED = ("applied", None), ("repeated", None), ("superseded", None)


def test_events_of_every_type_give_the_rows_of_the_model_whatever_their_order(
    api: httpx.Client, engine: Engine
) -> None:
    """Among them the enrollments after their events, an event twice in a batch, and once more in the next one."""
    first: list[Event] = [
        completed(1, 1, 1, seconds=9, section_id=2, duration_seconds=30),
        viewed(2, 1, 1),
        corrected(1, 1, 2, seconds=20, status="completed", last_viewed_at=at(8), completed_at=at(8)),
        viewed(1, 1, 2, seconds=5),
        viewed(1, 1, 2, seconds=25),
        outlined(3, [(1, 2, "Two"), (1, 1)]),
        enrolled(1),
        enrolled(2, course_id=4, timezone="Asia/Tokyo"),
    ]
    assert results(post(api, [*first, first[0]])) == [*[APPLIED] * 8, REPEATED]
    second: list[Event] = [viewed(1, 1, 1, seconds=3), first[1], outlined(3, [(1, 1)], seconds=-5)]
    assert results(post(api, second)) == [APPLIED, REPEATED, SUPERSEDED]
    assert_tables_equal_model(engine, first + second)
    assert audited(engine) == []


def test_each_is_judged_on_its_own_merits_in_order(api: httpx.Client, engine: Engine) -> None:
    insert_as_lms(engine, 1)
    ahead = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
    no_data = {name: value for name, value in as_json(viewed(id="no data")).items() if name != "data"}
    sent: dict[str, tuple[Content, tuple[str, str | None]]] = {
        "good": (viewed(1, 1, 1, id="good"), APPLIED),
        "unknown": ({**as_json(viewed()), "type": "lesson.loved"}, ("rejected", "unknown_type")),
        "no data": (no_data, ("rejected", "invalid_event")),
        "ahead": ({**as_json(viewed()), "time": ahead}, ("rejected", "time_out_of_range")),
        "ancient": ({**as_json(viewed()), "time": "1979-12-31T23:59:59Z"}, ("rejected", "time_out_of_range")),
        "large": ({**as_json(viewed()), "more": "x" * 65_536}, ("rejected", "too_large")),
        "stranger": (viewed(99), ("rejected", "unknown_enrollment")),
        "last": (completed(1, 1, 2, id="last"), APPLIED),
    }
    bodies = [
        {**(as_json(each) if isinstance(each, CloudEvent) else each), "id": name} for name, (each, _) in sent.items()
    ]
    answer = post(api, bodies)
    assert results(answer) == [verdict for _, verdict in sent.values()]
    assert [each["id"] for each in verdicts(answer)] == list(sent)
    assert all(bool(each["detail"]) == (each["result"] == "rejected") for each in verdicts(answer))
    assert rows(engine, "SELECT lesson_id FROM lesson_event ORDER BY 1") == [(1,), (2,)]
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


SINGLE = "application/cloudevents+json"


def post_one(api: httpx.Client, content: Content | bytes, **headers: str) -> httpx.Response:
    body = (
        content
        if isinstance(content, bytes)
        else json.dumps(as_json(content) if isinstance(content, CloudEvent) else content).encode()
    )
    return api.post("/events", content=body, headers={"Content-Type": SINGLE, **headers})


def test_a_single_event_is_applied_like_a_batch_of_one(
    api: httpx.Client, engine: Engine, redis: Redis, settings: Settings
) -> None:
    made: list[Event] = [enrolled(1), outlined(3, [(1, 1, "Größe")]), viewed(1), corrected(1, 1, 2, seconds=9)]
    assert [results(post_one(api, each)) for each in made] == [[APPLIED]] * 4
    assert results(post_one(api, made[2])) == [REPEATED]
    answer = post_one(api, made[2], **{"Content-Type": f"{SINGLE}; charset=utf-8", "Prefer": "respond-async"})
    assert (answer.status_code, verdicts(answer)[0]["result"]) == (202, "accepted")
    assert redis.xlen(f"{settings.stream_key}:1") == 1
    assert_tables_equal_model(engine, made)


REJECTED_ALONE: dict[str, tuple[Content | bytes, int, str]] = {
    "not JSON": (b"{", 422, "invalid_json: "),
    "nothing": (b"", 422, "invalid_json: "),
    "a batch": (b"[]", 422, "invalid_event: "),
    "a number": (b"7", 422, "invalid_event: "),
    "an unknown type": ({**as_json(viewed()), "type": "lesson.loved"}, 422, "unknown_type: type: "),
    "without data": ({"specversion": "1.0", "type": "lesson.viewed"}, 422, "invalid_event: id: Field required"),
    "too large": ({**as_json(viewed()), "more": "x" * 65_536}, 413, "too_large: "),
    "an unknown enrollment": (viewed(99), 404, "unknown_enrollment: "),
    "another event's identity": (completed(1, id="known"), 409, "identity_conflict: "),
    "another user's enrollment": (enrolled(1, user_id=8), 409, "enrollment_conflict: "),
}


@pytest.mark.parametrize("case", REJECTED_ALONE)
@pytest.mark.parametrize("prefer", ["", "respond-async"])
def test_a_single_event_that_is_rejected_is_a_problem_and_leaves_nothing(
    api: httpx.Client, engine: Engine, redis: Redis, settings: Settings, case: str, prefer: str
) -> None:
    content, status, detail = REJECTED_ALONE[case]
    assert results(post(api, [enrolled(1), viewed(1, id="known")])) == [APPLIED] * 2
    before = snapshot(engine)
    answer = post_one(api, content, Prefer=prefer)
    if prefer and status in {404, 409}:  # what only PostgreSQL can say
        assert answer.status_code == 202
        return
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["detail"].startswith(detail)
    assert snapshot(engine) == before
    assert not redis.exists(*Keys.of(settings).own)


def test_an_id_that_is_no_text_is_not_repeated(api: httpx.Client) -> None:
    answer = post(api, [{**as_json(viewed()), "id": 7}, {}])
    assert results(answer) == [("rejected", "invalid_event")] * 2
    assert [each["id"] for each in verdicts(answer)] == [None, None]


def test_the_same_batch_once_more_writes_nothing(api: httpx.Client, engine: Engine) -> None:
    batch = [enrolled(1), viewed(1), corrected(1, 1, 2)]
    post(api, batch)
    before = snapshot(engine)
    assert results(post(api, batch)) == [REPEATED] * 3
    assert snapshot(engine) == before


def test_what_the_streams_parked_is_applied_when_its_enrollment_is_created(api: httpx.Client, engine: Engine) -> None:
    parked: list[Event] = [viewed(5, 1, number) for number in range(1, 4)]
    assert ingest(engine, entries([*parked, viewed(6)])).parked == 4
    assert results(post(api, [enrolled(5)])) == [APPLIED]
    assert rows(engine, "SELECT lesson_id FROM user_course_progress ORDER BY 1") == [(1,), (2,), (3,)]
    assert rows(engine, "SELECT user_course_id FROM dead_letter") == [(6,)]


def refuse_lesson_13(engine: Engine) -> None:
    """A rule of the LMS's own."""
    execute(
        engine,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not on a Sunday'; END $$",
        """
        CREATE TRIGGER lms_rule BEFORE INSERT ON user_course_progress FOR EACH ROW
        WHEN (NEW.lesson_id = 13) EXECUTE FUNCTION refuse()
        """,
    )


def test_what_postgresql_refuses_is_rejected_alone(api: httpx.Client, engine: Engine) -> None:
    insert_as_lms(engine, 1)
    refuse_lesson_13(engine)
    answer = post(api, [viewed(1, 1, lesson) for lesson in range(1, 21)])
    expected: list[tuple[str, str | None]] = [APPLIED] * 20
    expected[12] = ("rejected", "data_error")
    assert results(answer) == expected
    assert verdicts(answer)[12]["detail"] == "not on a Sunday"
    assert rows(engine, "SELECT count(*) FROM lesson_event WHERE lesson_id <> 13") == [(19,)]
    assert rows(engine, "SELECT count(*) FROM user_course_progress") == [(19,)]
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_refusal_parts_no_event_from_the_enrollment_that_follows_it(api: httpx.Client, engine: Engine) -> None:
    refuse_lesson_13(engine)
    good: list[Event] = [viewed(1, 1, 1), viewed(1, 1, 2, seconds=1), outlined(3, [(1, 1)]), enrolled(1)]
    answer = post(api, [*good[:2], viewed(1, 1, 13), *good[2:], viewed(9)])
    assert results(answer) == [
        APPLIED,
        APPLIED,
        ("rejected", "data_error"),
        APPLIED,
        APPLIED,
        ("rejected", "unknown_enrollment"),
    ]
    assert_tables_equal_model(engine, good)


def thousand(size: int, first: int = 2) -> list[Entry]:
    """A mixture of every type and verdict, whose first eight are one of each; its enrollments from `first` on."""
    contents: list[bytes] = []
    for number in range(first, first + size // 8):
        mixture: list[CloudEvent] = [
            enrolled(number),
            viewed(number),
            completed(number, 1, 2),
            corrected(number, 1, 3),
            outlined(number, [(1, 1)]),
            viewed(100_000 + number),
            viewed(1, 1, number, seconds=number),
        ]
        contents += [json.dumps(as_json(each)).encode() for each in mixture] + [b"{}"]
    return arriving(contents, datetime.now(UTC))


def test_a_thousand_take_the_statements_of_one_of_each(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    with counted_statements(engine) as few:
        submit(engine, thousand(8, first=1_000))
    with counted_statements(engine) as many:
        assert len(submit(engine, thousand(1_000))) == 1_000
    assert many == few
    assert few.count("COMMIT") == 1


def test_a_thousand_are_taken_and_one_more_is_not(api: httpx.Client, engine: Engine) -> None:
    insert_as_lms(engine, 1)
    events = [viewed(1, 1, lesson) for lesson in range(1, 1_002)]
    before = snapshot(engine)
    answer = post(api, events)
    assert answer.status_code == 422
    assert "1001 events; at most 1000" in answer.json()["detail"]
    assert snapshot(engine) == before
    assert results(post(api, events[:1_000])) == [APPLIED] * 1_000
    assert rows(engine, "SELECT count(*) FROM user_course_progress") == [(1_000,)]


def test_nothing_is_nothing(api: httpx.Client) -> None:
    assert results(post(api, [])) == []


NO_LIST = "must be a JSON list of CloudEvents"
NO_BATCHES: dict[str, tuple[str, str | bytes, int, str]] = {
    "another type": ("application/json", "[]", 415, MEDIA_TYPE),
    "no list": (MEDIA_TYPE, "{}", 422, NO_LIST),
    "no objects": (MEDIA_TYPE, "[1]", 422, NO_LIST),
    "an object and nothing": (MEDIA_TYPE, "[{},]", 422, NO_LIST),
    "cut off": (MEDIA_TYPE, "[", 422, NO_LIST),
    "cut off in an event": (MEDIA_TYPE, '[{"id": "', 422, NO_LIST),
    "cut off after one": (MEDIA_TYPE, "[{}", 422, NO_LIST),
    "followed by another": (MEDIA_TYPE, "[{}] [{}]", 422, NO_LIST),
    "another bracket": (MEDIA_TYPE, "[{}}", 422, NO_LIST),
    "empty": (MEDIA_TYPE, "", 422, NO_LIST),
    "no text": (MEDIA_TYPE, b"\xff", 422, NO_LIST),
}


def test_what_is_no_batch_is_a_problem(api: httpx.Client) -> None:
    for name, (content_type, content, status, words) in NO_BATCHES.items():
        answer = api.post("/events", content=content, headers={"Content-Type": content_type})
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), name
        assert words in answer.json()["detail"]


ODD = {
    "a number beyond any float": b'{"note": 1e999, "id": ID}',
    "no number": b'{"note": NaN,  "id" : ID}',
    "a member twice": b'{"id": "x", "id": ID}',
    "brackets in a text": b'{"id": ID, "note": "]}, {\\"[\\\\"}',
    "a text by its escapes": b'{"id": ID, "note": "\\ud83d\\ude80\\u005d"}',
    "lists in lists": b'{"id": ID, "note": [[], [{}, [1,2]]]\n}',
}


def test_each_event_reaches_the_stream_byte_for_byte(api: httpx.Client, settings: Settings, redis: Redis) -> None:
    rest = body(viewed(1)).replace(b'"id":', b'"former":', 1)[1:]
    sent = [odd.replace(b"ID", b'"%d"' % number)[:-1] + b", " + rest for number, odd in enumerate(ODD.values())]
    headers = {"Content-Type": MEDIA_TYPE, "Prefer": "respond-async"}
    answer = api.post("/events", content=b"\xef\xbb\xbf [\n" + b" ,\n".join(sent) + b"\n]\r\n", headers=headers)
    assert [each["result"] for each in verdicts(answer)] == ["accepted"] * len(sent)
    found: Any = redis.xrange(Keys.of(settings).stream_for(1))
    assert [fields[FIELD.encode()] for _, fields in found] == sent


def test_one_that_is_no_json_is_rejected_alone(api: httpx.Client, engine: Engine) -> None:
    insert_as_lms(engine, 1)
    good = body(viewed(1))
    bad = [b'{"id": "a" "b"}', b"{} {}", b'{"id": "\xff"}', b'{"id": "\\ud800"}', b'{"id": "\x01"}', b"{1}"]
    answer = api.post("/events", content=b"[" + b",".join([*bad, good]) + b"]", headers={"Content-Type": MEDIA_TYPE})
    assert results(answer) == [("rejected", "invalid_json")] * len(bad) + [APPLIED]


def test_a_parameter_of_the_media_type_does_not_matter(api: httpx.Client) -> None:
    answer = api.post("/events", content="[]", headers={"Content-Type": f"{MEDIA_TYPE.upper()}; charset=utf-8"})
    assert answer.status_code == 200


def test_respond_async_appends_what_is_valid_to_the_streams_of_its_partitions(
    api: httpx.Client, settings: Settings, engine: Engine, redis: Redis
) -> None:
    before = snapshot(engine)
    sent: list[Event] = [viewed(1, section_id=4), enrolled(10), outlined(3, [(1, 1, "Ünïcode")]), corrected(2)]
    answer = post(api, [*sent[:2], {"id": "bad"}, *sent[2:]], Prefer="respond-async")
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    accepted = [each["result"] for each in verdicts(answer)]
    assert accepted == ["accepted", "accepted", "rejected", "accepted", "accepted"]
    keys = Keys.of(settings)
    found: dict[str, list[Event | NamedEvent]] = {}
    for stream in keys.streams:
        bodies: Any = redis.xrange(stream)
        for entry_id, fields in bodies:
            found.setdefault(stream, []).append(parse_entry(Entry(stream, entry_id.decode(), fields[FIELD.encode()])))
    assert found == {
        keys.stream_for(1): [sent[0]],
        keys.stream_for(10): [sent[1], sent[3]],
        keys.stream_for(3): [sent[2]],
    }
    assert snapshot(engine) == before
