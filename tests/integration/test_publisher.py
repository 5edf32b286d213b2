"""Publishing: to the right partition, and what is read back is what was published."""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
from redis import ConnectionError as RedisConnectionError
from sqlalchemy import Engine

from tests.support.doors import consume
from tests.support.events import (
    as_json,
    at,
    completed,
    corrected,
    enrolled,
    numbered,
    outlined,
    reopened,
    viewed,
)
from tests.support.model import assert_tables_equal_model
from tests.support.named import named_completed, named_enrolled, named_outlined, named_reopened, named_viewed
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.client import PIPELINE, AsyncEventPublisher, EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.recovery import Recovery
from worker.contract.entry import Entry
from worker.contract.event import Event, LessonCompleted, LessonViewed
from worker.contract.named_event import NamedEvent
from worker.contract.parse import parse_entry
from worker.event_factory import EventFactory
from worker.settings import Settings
from worker.streams.connection import Redis

LARGE = 2**63 - 1


@pytest.fixture
def publisher(settings: Settings, redis: Redis) -> Iterator[EventPublisher]:
    assert redis.ping()
    with EventPublisher(settings=settings, source="/test") as publisher:
        yield publisher


def published(redis: Redis, stream: str) -> list[Event | NamedEvent]:
    """The events of the stream, as a consumer reads them."""
    found: Any = redis.xrange(stream)
    return [parse_entry(Entry(stream, entry_id.decode(), fields[b"event"])) for entry_id, fields in found]


@pytest.mark.parametrize(
    ("event", "partition"),
    [
        (viewed(1), 1),
        (viewed(8), 0),
        (completed(LARGE, section_id=2, duration_seconds=0), LARGE % 8),
        (enrolled(17, course_id=3), 1),
        (outlined(11, [(1, 1, "Größe"), (1, 2)]), 3),
        (outlined(11, []), 3),
        (corrected(10, last_viewed_at=at(1), status="in_progress"), 2),
        (corrected(10), 2),
        (reopened(10), 2),
        (named_viewed("ann"), crc32(b"ann") % 8),
        (named_completed("ann", course=None), crc32(b"ann") % 8),
        (named_reopened("ann"), crc32(b"ann") % 8),
        (named_enrolled("Zoë"), crc32("Zoë".encode()) % 8),
        (named_outlined("Größe/101", ["l1"]), crc32("Größe/101".encode()) % 8),
    ],
)
def test_an_event_comes_back_equal_from_its_partition(
    publisher: EventPublisher, redis: Redis, settings: Settings, event: Event | NamedEvent, partition: int
) -> None:
    stream = f"{settings.stream_key}:{partition}"
    publisher.publish(event)
    publisher.publish(as_json(event))
    publisher.publish_many([event, as_json(event)])
    assert published(redis, stream) == [event] * 4
    assert [key.decode() for key in redis.scan_iter(f"{settings.stream_key}*")] == [stream]


def test_a_mapping_that_names_no_partition_goes_to_the_plain_stream(
    publisher: EventPublisher, redis: Redis, settings: Settings
) -> None:
    for strange in ({}, {"data": None}, {"data": {"user_course_id": "1"}}, {"data": [1]}):
        publisher.publish(strange)
    assert redis.xlen(settings.stream_key) == 4


def test_publishing_returns_the_entry_id(publisher: EventPublisher, redis: Redis, settings: Settings) -> None:
    entry_id = publisher.publish(viewed(1))
    assert redis.xrange(f"{settings.stream_key}:1", entry_id, entry_id)


@pytest.mark.parametrize("count", [0, 1, PIPELINE, PIPELINE + 1])
def test_many_events_arrive_in_order(publisher: EventPublisher, redis: Redis, settings: Settings, count: int) -> None:
    assert publisher.publish_many(viewed(1, 1, n) for n in range(1, count + 1)) == count
    found = published(redis, f"{settings.stream_key}:1")
    assert [event.data.lesson_id for event in found if isinstance(event, LessonViewed)] == list(range(1, count + 1))


def test_the_short_forms_make_whole_events(publisher: EventPublisher, redis: Redis, settings: Settings) -> None:
    publisher.lesson_viewed(user_course_id=1, topic_id=2, lesson_id=3, occurred_at=at(0), event_id="e-1")
    publisher.lesson_completed(user_course_id=1, topic_id=2, lesson_id=3, section_id=4, duration_seconds=5)
    first, second = published(redis, f"{settings.stream_key}:1")
    assert first == viewed(1, 2, 3, id="e-1", source="/test")
    assert isinstance(second, LessonCompleted)
    assert (second.data.section_id, second.data.duration_seconds, second.source) == (4, 5, "/test")
    assert len(second.id) == 36


def test_the_asynchronous_twin_publishes_the_same(redis: Redis, settings: Settings) -> None:
    """All of its methods, also to another stream where its own has the wrong type."""
    made: list[Event] = [enrolled(1), outlined(3, [(2, 3, "Größe")]), corrected(1, 2, 3, seconds=9)]
    redis.rpush(f"{settings.stream_key}:3", "not a stream")

    async def publish_all() -> str:
        async with AsyncEventPublisher(settings=settings, source="/test") as publisher:
            entry_id = await publisher.publish(made[0])
            assert redis.xrange(f"{settings.stream_key}:1", entry_id, entry_id)
            assert await publisher.publish_many(made[1:]) == 2
            assert await publisher.publish_raw([(2, b"{}"), (None, b"[]")]) == 2
            return await publisher.lesson_viewed(user_course_id=1, topic_id=2, lesson_id=3, occurred_at=at(1))

    event_id = asyncio.run(publish_all())
    view = viewed(1, 2, 3, seconds=1, id=event_id, source="/test")
    assert published(redis, f"{settings.stream_key}:1") == [made[0], made[2], view]
    assert redis.xlen(f"{settings.stream_key}:2") == 1
    plain: Any = redis.xrange(settings.stream_key)
    assert [fields[b"event"] for _, fields in plain] == [made[1].to_json(), b"[]"]


@pytest.mark.parametrize("again", [1, 2])
def test_many_events_go_in_as_many_round_trips_on_both_publishers(redis: Redis, settings: Settings, again: int) -> None:
    async def publish_all(events: list[LessonViewed]) -> int:
        async with AsyncEventPublisher(settings=settings) as publisher:
            return await publisher.publish_many(events)

    events = [viewed(1, 1, number) for number in range(1, again * PIPELINE + 2)]
    assert asyncio.run(publish_all(events)) == len(events)
    assert published(redis, f"{settings.stream_key}:1") == events


def test_a_closed_block_leaves_no_connection(redis: Redis, settings: Settings) -> None:
    with EventPublisher(settings=settings) as publisher:
        opened = publisher._redis.client_id()
        assert redis.client_list(client_id=[opened])
    wait_until(lambda: not redis.client_list(client_id=[opened]), what="the end of the connection")


def test_an_event_made_for_an_outbox_counts_once_however_often_it_is_published(
    publisher: EventPublisher, consumer: Consumer, engine: Engine
) -> None:
    events = EventFactory("/test")
    enrollment = events.enrollment_created(user_course_id=1, user_id=7, course_id=3)
    event = events.lesson_completed(user_course_id=1, topic_id=2, lesson_id=3)
    stored = [each.to_json() for each in (event, enrollment)]
    for _ in range(2):
        publisher.publish_many(json.loads(each) for each in stored)
    consume(consumer)
    assert_tables_equal_model(engine, [numbered(enrollment), numbered(event)])


def test_a_short_form_without_a_time_may_be_called_again(
    publisher: EventPublisher, consumer: Consumer, engine: Engine
) -> None:
    publisher.publish(enrolled(1))
    for _ in range(2):
        publisher.lesson_viewed(user_course_id=1, topic_id=2, lesson_id=3, event_id="e-1", duration_seconds=-1)
    Recovery(consumer).recover()
    consumer.read(consumer.keys.streams, None)
    assert rows(engine, "SELECT lesson_id, duration_seconds FROM lesson_event") == [(3, None)]
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_events_of_any_language_on_the_plain_stream_are_applied(
    publisher: EventPublisher, redis: Redis, settings: Settings, consumer: Consumer, engine: Engine
) -> None:
    """The command of the contract, word by word, as a client without our code would send it."""
    event = {
        "specversion": "1.0",
        "id": "0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "source": "/moodle",
        "type": "lesson.viewed",
        "time": "2025-07-14T10:30:00Z",
        "data": {"user_course_id": 1, "topic_id": 3, "lesson_id": 8},
    }
    member = enrolled(1)
    publisher.publish(member)
    redis.xadd(settings.stream_key, {"event": json.dumps(event)})
    Recovery(consumer).recover()
    consumer.read(consumer.keys.streams, None)
    assert_tables_equal_model(engine, [member, viewed(1, 3, 8, id=event["id"])])


def test_a_redis_that_is_away_raises_to_the_publisher(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    publisher = EventPublisher(f"redis://127.0.0.1:{port}/0", settings=settings)
    with pytest.raises(RedisConnectionError):
        publisher.publish(viewed())
    with pytest.raises(RedisConnectionError):
        publisher.publish_many([viewed()])
