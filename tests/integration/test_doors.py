"""Whichever way an event comes in: the same bytes get the same verdict and the same row, its neighbors theirs."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.doors import ANY, Doors, consume, is_task, parsed, send_tasks
from tests.support.events import as_json, body, enrolled, entries, viewed
from tests.support.named import named_enrolled, named_viewed
from tests.support.tables import insert_as_lms, rows
from worker.consume.consumer import Consumer
from worker.contract.event import MAX_EVENT_CHARACTERS, MAX_OUTLINE_CHARACTERS
from worker.contract.identity import identity
from worker.progress.ingest import ingest

Case = tuple[bytes, str, tuple[int | None, int | None]]
"""An event of enrollment 1, the verdict on it, and section and duration of its row where it is applied."""
NOTHING = (None, None)
NO_DURATIONS: list[Any] = [*(-3, 90_000, 1_472_231_803, "30", True, [], float("nan"), float("-inf"), 86_400.5)]
NO_SECTIONS: list[Any] = [*("x", 0, -1, 2.0, True, 2**31)]
NO_LESSONS: list[Any] = [*("11", 12.0, True, 0, None)]


def bent(changes: Mapping[str, Any] = {}, /, **data: Any) -> bytes:
    """A view with other members, `...` for one that is left out."""
    event = {**as_json(viewed()), **changes}
    if "data" not in changes:
        members = {**as_json(viewed())["data"], **data}
        event["data"] = {name: value for name, value in members.items() if value is not ...}
    return json.dumps({name: value for name, value in event.items() if value is not ...}).encode()


def in_names(changes: Mapping[str, Any] = {}, /, **data: Any) -> bytes:
    """A view in names."""
    event = {**as_json(named_viewed(id=str(uuid4()))), **changes}
    members = {**event["data"], **data}
    return json.dumps({**event, "data": {name: value for name, value in members.items() if value is not ...}}).encode()


def cases() -> dict[str, Case]:
    """Of each kind one, each with an identity of its own."""
    soon = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    ahead = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
    room = MAX_EVENT_CHARACTERS - len(bent({"note": ""}))
    good = {
        "ordinary": (bent(section_id=2, duration_seconds=30), (2, 30)),
        "unknown members": (bent({"subject": 7, "foo": [1]}, foo=1), NOTHING),
        "12.5 s": (bent(duration_seconds=12.5), (None, 12)),
        "30.0 s": (bent(duration_seconds=30.0), (None, 30)),
        "a day": (bent(duration_seconds=86_400), (None, 86_400)),
        **{
            f"a duration of {value!r}": (bent(duration_seconds=value, section_id=4), (4, None))
            for value in NO_DURATIONS
        },
        **{f"a section of {value!r}": (bent(section_id=value), NOTHING) for value in NO_SECTIONS},
        "a sequence of -1": (bent({"sequence": -1}), NOTHING),
        "no number beside it": (bent({"note": float("nan")}), NOTHING),
        "a number beyond any": (bent({"note": "1e999"}).replace(b'"1e999"', b"1e999"), NOTHING),
        "no specversion": (bent({"specversion": ...}), NOTHING),
        "another content type": (bent({"datacontenttype": "text/plain"}), NOTHING),
        "data as base64 too": (bent({"data_base64": "AAAA"}), NOTHING),
        "a member twice": (bent(section_id=3).replace(b'"section_id"', b'"section_id": "x", "section_id"'), (3, None)),
        "a byte-order mark": (b"\xef\xbb\xbf" + bent(), NOTHING),
        "white space": (b" \t" + bent() + b" ", NOTHING),
        "1980": (bent({"time": "1980-01-01T00:00:00Z"}), NOTHING),
        "4 minutes ahead": (bent({"time": soon}), NOTHING),
        "in names": (in_names(duration_seconds=30, topic="t", enrols=False, note="x"), (None, 30)),
        "of a new learner": (in_names(learner="Zoë \U0001f680 \u202e", lesson="x" * 1_024), NOTHING),
        "a completion in names": (in_names({"type": "lesson.completed"}, course="c2"), NOTHING),
        "a topic and a duration that are none": (in_names(topic=7, duration_seconds=-1, enrols="no"), NOTHING),
        "taken back": (bent({"type": "lesson.reopened"}), NOTHING),
        "taken back in names": (in_names({"type": "lesson.reopened"}), NOTHING),
        "the most characters": (bent({"note": "x" * room}), NOTHING),
        "the most, escaped": (bent({"note": "\U0001f680" * room}), NOTHING),
    }
    bad = {
        **{f"a lesson of {value!r}": (bent(lesson_id=value), "invalid_event") for value in NO_LESSONS},
        "a lesson beyond 32 bits": (bent(lesson_id=10_000_000_000_123), "invalid_event"),
        "no lesson": (bent(lesson_id=...), "invalid_event"),
        "the nil UUID": (bent({"id": "00000000-0000-0000-0000-000000000000"}), "invalid_event"),
        "the max UUID": (bent({"id": "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"}), "invalid_event"),
        "nil without hyphens": (bent({"id": "0" * 32}), "invalid_event"),
        "an empty id": (bent({"id": ""}), "invalid_event"),
        "an id that is a number": (bent({"id": 7}), "invalid_event"),
        "data as base64": (bent({"data": ..., "data_base64": "AAAA"}), "invalid_event"),
        "specversion 0.3": (bent({"specversion": "0.3"}), "invalid_event"),
        "no offset": (bent({"time": "2025-07-14T10:30:00"}), "invalid_event"),
        "1979": (bent({"time": "1979-12-31T23:59:59Z"}), "time_out_of_range"),
        "6 minutes ahead": (bent({"time": ahead}), "time_out_of_range"),
        "unknown type": (bent({"type": "lesson.liked"}), "unknown_type"),
        "a stranger": (bent(user_course_id=404), "unknown_enrollment"),
        "a lone surrogate": (bent({"note": "?"}).replace(b"?", b"\\ud800"), "invalid_json"),
        "no text": (bent({"note": "?"}).replace(b"?", b"\xff"), "invalid_json"),
        "5,000 digits": (bent({"note": "?"}).replace(b'"?"', b"7" * 5_000), "invalid_json"),
        "a control character": (bent({"note": "?"}).replace(b"?", b"\x01"), "invalid_json"),
        "garbage behind": (bent() + b" x", "invalid_json"),
        "twice": (bent() + bent(), "invalid_json"),
        "too deep": (bent({"note": "?"}).replace(b'"?"', b"[" * 5_000 + b"]" * 5_000), "invalid_json"),
        "a character too many": (bent({"note": "x" * (room + 1)}), "too_large"),
        "too many, escaped": (bent({"note": "\U0001f680" * (room + 1)}), "too_large"),
        "names and numbers": (in_names(user_course_id=1), "invalid_event"),
        "numbers and names": (bent(learner="ann"), "invalid_event"),
        "a name that is none": (in_names(learner=""), "invalid_event"),
        "a name that is too long": (in_names(lesson="ü" * 513), "invalid_event"),
        "a name that is a number": (in_names(lesson=8), "invalid_event"),
        "a name with NUL": (in_names(course="a\0b"), "invalid_event"),
        "no lesson's name": (in_names(lesson=...), "invalid_event"),
        "a correction in names": (in_names({"type": "progress.corrected"}), "invalid_event"),
        "a lesson of no course": (in_names(lesson="of no course", course=...), "unknown_lesson"),
        "a learner of no course": (in_names(learner="nobody", enrols=False), "unknown_enrollment"),
        "another user's": (body(enrolled(1, user_id=9)), "enrollment_conflict"),
    }
    return {
        **{name: (content, "applied", row) for name, (content, row) in good.items()},
        **{name: (content, verdict, NOTHING) for name, (content, verdict) in bad.items()},
    }


@pytest.fixture(autouse=True)
def _enrollments(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    ingest(engine, entries([named_enrolled()]))


def ledger(engine: Engine) -> dict[str, tuple[int | None, int | None]]:
    """Section and duration of each event, by its identity."""
    found = rows(engine, "SELECT event_id::text, section_id, duration_seconds FROM lesson_event")
    return {event_id: (section_id, duration) for event_id, section_id, duration in found}


def event_id(content: bytes) -> str:
    event = parsed(content.removeprefix(b"\xef\xbb\xbf"))
    return identity(event["source"], event["id"])


@pytest.mark.parametrize("door", ANY)
def test_the_same_bytes_get_the_same_verdict_and_row_from_each_door(doors: Doors, engine: Engine, door: str) -> None:
    sent = cases()
    found = getattr(doors, door)([content for content, _, _ in sent.values()])
    assert dict(zip(sent, found, strict=True)) == {name: verdict for name, (_, verdict, _) in sent.items()}
    expected = {event_id(content): row for content, verdict, row in sent.values() if verdict == "applied"}
    assert ledger(engine) == expected


def test_a_task_of_celery_gets_it_too(
    engine: Engine,
    consumer: Consumer,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = {name: each for name, each in cases().items() if is_task(parsed(each[0]))}
    assert len(sent) > 30
    send_tasks(monkeypatch, environment, {name: parsed(content) for name, (content, _, _) in sent.items()})
    consume(consumer)
    letters = {json.loads(body)["data"]["case"]: reason for body, reason in rows(engine, LETTERS)}
    assert letters == {name: verdict for name, (_, verdict, _) in sent.items() if verdict != "applied"}
    assert ledger(engine) == {event_id(content): row for content, verdict, row in sent.values() if verdict == "applied"}


LETTERS = "SELECT body, reason FROM dead_letter"


def test_a_task_whose_text_no_json_takes_is_set_aside_too(
    engine: Engine, consumer: Consumer, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {**as_json(viewed()), "data": {**as_json(viewed())["data"], "note": "\ud800"}}
    large = {**as_json(viewed()), "data": {**as_json(viewed())["data"], "note": "\U0001f680" * MAX_EVENT_CHARACTERS}}
    send_tasks(monkeypatch, environment, {"surrogate": event, "large": large})
    consume(consumer)
    assert sorted(reason for _, reason in rows(engine, LETTERS)) == ["invalid_json", "too_large"]


def test_an_endpoint_of_one_lesson_gets_it_too(engine: Engine, open_api: httpx.Client) -> None:
    expected = {}
    for name, (content, verdict, row) in cases().items():
        event = parsed(content)
        if (
            not is_task(event)
            or event["type"] != "lesson.viewed"
            or not isinstance(event["data"].get("lesson_id"), int)
            or event["data"].keys() & {"foo", "learner"}
        ):
            continue
        data = event["data"]
        path = "/progress/{user_course_id}/{topic_id}/{lesson_id}/view".format(**data)
        members = {member: data[member] for member in ("section_id", "duration_seconds") if member in data}
        answer = open_api.post(
            path,
            content=json.dumps({**members, "occurred_at": event["time"]}),
            headers={"Content-Type": "application/json", "Idempotency-Key": str(event["id"])},
        )
        if verdict == "applied":
            expected[event_id(content)] = row
        wrong_id = isinstance(event["id"], int) or data["lesson_id"] is True  # none where all is text
        assert wrong_id or (answer.status_code == 200) == (verdict == "applied"), (name, answer.text)
    assert len(expected) > 20
    assert {key: row for key, row in ledger(engine).items() if key in expected} == expected


@pytest.mark.parametrize("door", ANY)
def test_the_largest_outline_comes_through_however_it_is_written(doors: Doors, engine: Engine, door: str) -> None:
    def outline(characters: int) -> bytes:
        event = {"specversion": "1.0", "id": str(uuid4()), "source": "/lms", "time": "2025-07-14T10:30:00Z"}
        data = {"course_id": 3, "lessons": [{"topic_id": 1, "lesson_id": 1, "title": ""}]}
        event |= {"type": "course.outlined"}
        room = characters - len(json.dumps({**event, "data": data}))
        data["lessons"] = [{"topic_id": 1, "lesson_id": 1, "title": "\U0001f680" * room}]
        return json.dumps({**event, "data": data}).encode()

    sent = [outline(MAX_OUTLINE_CHARACTERS), outline(MAX_OUTLINE_CHARACTERS + 1)]
    assert len(sent[0]) > 12_000_000
    assert [getattr(doors, door)([each])[0] for each in sent] == ["applied", "too_large"]
    assert rows(engine, "SELECT length(title) FROM course_lesson")[0][0] > 1_000_000
