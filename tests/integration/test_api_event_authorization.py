"""A limited token's batch of events: those of its courses count, each of the others is rejected and changes nothing."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.events import as_json, at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.tables import rows, snapshot
from worker.consume.consumer import Consumer
from worker.consume.recovery import Recovery
from worker.contract.event import EVENT_TYPES, CloudEvent, LessonReopened, Reopening
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.streams.connection import Redis

OWN_COURSE, FOREIGN_COURSE = 3, 4
OWN, FOREIGN, UNKNOWN = 1, 2, 77
BATCH = "application/cloudevents-batch+json"
LIMITED = {"name": "limited", "token": "everything-in-one-course", "scopes": ["read", "write"], "courses": [OWN_COURSE]}
FORBIDDEN = ("rejected", "forbidden", "the token 'limited' has no access to this course")


def reopened(user_course_id: int) -> LessonReopened:
    """A lesson's completion is taken back."""
    data = Reopening(user_course_id=user_course_id, topic_id=1, lesson_id=4)
    return LessonReopened(id=f"reopened {user_course_id}", source="/test", time=at(60), data=data)


FOREIGN_EVENTS: dict[str, CloudEvent] = {
    "a view": viewed(FOREIGN, 1, 1, seconds=60),
    "a completion": completed(FOREIGN, 1, 1, seconds=60),
    "a correction": corrected(FOREIGN, 1, 1, seconds=60, status="not_started"),
    "a completion taken back": reopened(FOREIGN),
    "an outline": outlined(FOREIGN_COURSE, [(9, 9)], seconds=60),
    "a learner's details": enrolled(FOREIGN, course_id=FOREIGN_COURSE, user_id=666, seconds=60),
    "a move into the own course": enrolled(FOREIGN, course_id=OWN_COURSE, seconds=60),
    "a move out of the own course": enrolled(OWN, course_id=FOREIGN_COURSE, seconds=60),
    "a new enrollment": enrolled(UNKNOWN, course_id=FOREIGN_COURSE, seconds=60),
    "a view of nobody": viewed(UNKNOWN, seconds=60),
    "a completion of nobody": completed(UNKNOWN, seconds=60),
    "a correction of nobody": corrected(UNKNOWN, seconds=60),
}
OWN_EVENTS: list[CloudEvent] = [
    viewed(OWN, 1, 2, seconds=60),
    completed(OWN, 1, 1, seconds=60),
    corrected(OWN, 1, 3, seconds=60, status="in_progress"),
    reopened(OWN),
    outlined(OWN_COURSE, [(1, 1), (1, 2), (1, 3)], seconds=60),
    enrolled(OWN, course_id=OWN_COURSE, timezone="Asia/Tokyo", seconds=60),
]
either_way = pytest.mark.parametrize("preference", [{}, {"Prefer": "respond-async"}], ids=["at once", "by the stream"])


@pytest.fixture
def guarded(settings: Settings, engine: Engine) -> Settings:
    """The settings with the token; both enrollments have seen a lesson."""
    ingest(engine, entries([enrolled(OWN, course_id=OWN_COURSE), enrolled(FOREIGN, course_id=FOREIGN_COURSE)]))
    ingest(engine, entries([outlined(OWN_COURSE, [(1, 1)]), outlined(FOREIGN_COURSE, [(1, 1)])]))
    ingest(engine, entries([viewed(OWN), viewed(FOREIGN)]))
    return settings.model_copy(update={"api_tokens": SecretStr(json.dumps([LIMITED]))})


def sent(settings: Settings, preference: dict[str, str], *batches: Iterable[CloudEvent]) -> list[tuple[Any, ...]]:
    """Send the batches; the verdicts."""
    verdicts = []
    with served(settings, Authorization=f"Bearer {LIMITED['token']}", Content_Type=BATCH) as client:
        for events in batches:
            content = json.dumps([as_json(event) for event in events])
            answer = client.post("/events", content=content, headers=preference)
            assert answer.status_code == (202 if preference else 200), answer.text
            verdicts += [(each["result"], each["reason"], each["detail"]) for each in answer.json()["events"]]
    return verdicts


def streamed(redis: Redis, settings: Settings) -> list[bytes]:
    """The bodies of the events in all streams."""
    keys = redis.scan_iter(f"{settings.stream_key}*")
    found: list[Any] = [entry for key in keys for entry in redis.xrange(key) or ()]
    return [fields[b"event"] for _, fields in found]


def apply_streams(consumer: Consumer) -> None:
    """As the worker does."""
    Recovery(consumer).recover()
    assert consumer.read(consumer.keys.streams, None).count


def test_each_type_of_event_is_tried() -> None:
    for events in (FOREIGN_EVENTS.values(), OWN_EVENTS):
        assert {type(event) for event in events} == set(EVENT_TYPES)


@either_way
def test_what_touches_another_course_is_rejected_and_changes_nothing(
    preference: dict[str, str], guarded: Settings, engine: Engine, redis: Redis
) -> None:
    before = snapshot(engine)
    batches = [[event] for event in FOREIGN_EVENTS.values()]
    assert dict(zip(FOREIGN_EVENTS, sent(guarded, preference, *batches), strict=True)) == dict.fromkeys(
        FOREIGN_EVENTS, FORBIDDEN
    )
    assert set(sent(guarded, preference, FOREIGN_EVENTS.values())) == {FORBIDDEN}
    assert snapshot(engine) == before
    assert streamed(redis, guarded) == []


@either_way
def test_what_touches_its_own_course_counts_among_the_others(
    preference: dict[str, str], guarded: Settings, engine: Engine, redis: Redis, consumer: Consumer
) -> None:
    foreign = f"""SELECT to_jsonb(u), to_jsonb(p) FROM user_course AS u JOIN user_course_progress AS p
        ON p.user_course_id = u.id WHERE u.id = {FOREIGN}"""
    before = rows(engine, foreign)
    mixed = [*FOREIGN_EVENTS.values()]
    for number, event in enumerate(OWN_EVENTS):
        mixed.insert(2 * number, event)
    good = ("accepted" if preference else "applied", None, None)
    assert sent(guarded, preference, mixed) == [good if event in OWN_EVENTS else FORBIDDEN for event in mixed]
    if preference:
        assert sorted(json.loads(each)["id"] for each in streamed(redis, guarded)) == sorted(e.id for e in OWN_EVENTS)
        apply_streams(consumer)
    enrollments = "SELECT id, timezone, course_id FROM user_course ORDER BY id"
    assert rows(engine, enrollments) == [(OWN, "Asia/Tokyo", OWN_COURSE), (FOREIGN, "UTC", FOREIGN_COURSE)]
    progress = f"SELECT lesson_id, status::text FROM user_course_progress WHERE user_course_id = {OWN} ORDER BY 1"
    assert rows(engine, progress) == [(1, "completed"), *((lesson, "in_progress") for lesson in (2, 3, 4))]
    outlines = "SELECT course_id, count(*) FROM course_lesson GROUP BY course_id ORDER BY course_id"
    assert rows(engine, outlines) == [(OWN_COURSE, 3), (FOREIGN_COURSE, 1)]
    assert rows(engine, foreign) == before
    assert rows(engine, "SELECT * FROM dead_letter") == []


@either_way
def test_nobody_is_enrolled_not_even_in_its_own_course(
    preference: dict[str, str], guarded: Settings, engine: Engine, redis: Redis
) -> None:
    """Else it would get the events that the LMS has published ahead of an enrollment in another course."""
    parked = viewed(UNKNOWN, 5, 5)
    ingest(engine, entries([parked]))
    before = snapshot(engine)
    batch = [enrolled(UNKNOWN, course_id=OWN_COURSE), viewed(UNKNOWN), enrolled(UNKNOWN, course_id=FOREIGN_COURSE)]
    assert set(sent(guarded, preference, batch, reversed(batch))) == {FORBIDDEN}
    assert snapshot(engine) == before
    assert streamed(redis, guarded) == []


@either_way
def test_an_enrollment_elsewhere_lets_nobody_in_by_an_event_that_is_refused_itself(
    preference: dict[str, str], guarded: Settings, engine: Engine, redis: Redis
) -> None:
    before = snapshot(engine)
    far_ahead = enrolled(UNKNOWN, course_id=OWN_COURSE, seconds=10**9)
    verdicts = sent(guarded, preference, [far_ahead, viewed(UNKNOWN), enrolled(UNKNOWN, course_id=FOREIGN_COURSE)])
    assert [reason for _, reason, _ in verdicts] == ["time_out_of_range", "forbidden", "forbidden"]
    assert snapshot(engine) == before
    assert streamed(redis, guarded) == []
