"""Named events and `lesson.reopened` by each way in, in order and backwards: the rows, read back by name, are equal."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.doors import EACH_DOOR, Doors, consume, is_task, send_tasks
from tests.support.events import as_json, at, body, completed, reopened, viewed
from tests.support.named import (
    named_completed,
    named_enrolled,
    named_outlined,
    named_reopened,
    named_viewed,
    rows_by_name,
)
from tests.support.tables import insert_as_lms, rows
from worker.client import AsyncEventPublisher, EventPublisher
from worker.consume.consumer import Consumer
from worker.contract.event import Event
from worker.contract.named_event import NamedEvent
from worker.event_factory import EventFactory, EventMethods
from worker.settings import Settings

HISTORY: Sequence[Event | NamedEvent] = [
    named_outlined("c1", ["l1", {"lesson": "l2", "topic": "week 2"}], seconds=-100),
    named_enrolled("ann", timezone="Asia/Tokyo", seconds=-60),
    named_viewed("ann", "l1", seconds=0, duration_seconds=7),
    named_completed("ann", "l1", seconds=10),
    named_reopened("ann", "l1", seconds=20),
    named_completed("ann", "l1", seconds=30),
    named_completed("ann", "l2", seconds=10),
    named_viewed("ann", "l2", seconds=15),
    named_reopened("ann", "l2", seconds=20),
    named_completed("Zoë", "l2", seconds=5),
    named_viewed("ann", "l1", seconds=40, source="edx"),
    completed(1, 1, 1, seconds=10),
    reopened(1, 1, 1, seconds=20),
    viewed(1, 1, 1, seconds=5),
    completed(1, 1, 2, seconds=10),
    reopened(1, 1, 2, seconds=20),
    completed(1, 1, 2, seconds=30),
]
BY_NAME = {
    ("moodle", "ann", "c1", "l1"): ("completed", at(30), at(30)),
    ("moodle", "ann", "c1", "l2"): ("in_progress", at(20), None),
    ("moodle", "Zoë", "c1", "l2"): ("completed", at(5), at(5)),
    ("edx", "ann", "c1", "l1"): ("in_progress", at(40), None),
}
BY_NUMBER = [(1, "in_progress", at(20), None), (2, "completed", at(30), at(30))]
NUMBERED = """
    SELECT lesson_id, status::text, last_viewed_at, completed_at FROM user_course_progress
    WHERE user_course_id = 1 ORDER BY lesson_id
"""
ZONES = "SELECT DISTINCT timezone FROM user_course WHERE id > 1 ORDER BY timezone"
either_way = pytest.mark.parametrize("turn", [list, lambda events: events[::-1]], ids=["in order", "backwards"])
Turn = Callable[[Sequence[Event | NamedEvent]], Sequence[Event | NamedEvent]]


@pytest.fixture(autouse=True)
def _enrollment(engine: Engine) -> None:
    insert_as_lms(engine, 1)


def assert_recorded(engine: Engine) -> None:
    """Every row, once, and no dead letter."""
    assert rows_by_name(engine) == BY_NAME
    assert rows(engine, NUMBERED) == BY_NUMBER
    assert rows(engine, ZONES) == [("Asia/Tokyo",), ("UTC",)]
    assert rows(engine, "SELECT reason FROM dead_letter") == []
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(len(HISTORY) - 2,)]


@pytest.mark.parametrize("door", EACH_DOOR)
@either_way
def test_a_door_records_them(doors: Doors, engine: Engine, door: str, turn: Turn) -> None:
    bodies = [body(event) for event in turn(HISTORY)]
    assert getattr(doors, door)(bodies) == ["applied"] * len(bodies)
    getattr(doors, door)(bodies[::3])
    assert_recorded(engine)


@either_way
def test_so_do_tasks(
    engine: Engine,
    consumer: Consumer,
    environment: Mapping[str, str],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    turn: Turn,
) -> None:
    """Which have no outlines or enrollments."""
    tasks = {str(number): as_json(event) for number, event in enumerate(turn(HISTORY)) if is_task(as_json(event))}
    assert len(tasks) == len(HISTORY) - 2
    for _ in range(2):
        send_tasks(monkeypatch, dict(environment), tasks)
    with EventPublisher(settings=settings) as publisher:
        publisher.publish_many(HISTORY[:2])
    consume(consumer)
    assert_recorded(engine)


def call(methods: EventMethods[Any], event: Event | NamedEvent) -> Any:
    """Have this very event made by the method for its type."""
    method = getattr(methods, event.type.replace(".", "_"))
    return method(**as_json(event)["data"], event_id=event.id, occurred_at=event.time)


@either_way
def test_so_do_events_of_the_factory_from_an_outbox(
    engine: Engine, consumer: Consumer, settings: Settings, turn: Turn
) -> None:
    made = [call(EventFactory(event.source), event) for event in turn(HISTORY)]
    assert made == turn(HISTORY)
    outbox = [event.to_json() for event in made]
    with EventPublisher(settings=settings) as publisher:
        for _ in range(2):
            publisher.publish_many(json.loads(each) for each in outbox)
    consume(consumer)
    assert_recorded(engine)


@pytest.mark.parametrize("is_async", [False, True], ids=["synchronous", "asynchronous"])
def test_so_do_the_publishers_typed_methods(
    engine: Engine, consumer: Consumer, settings: Settings, is_async: bool
) -> None:
    """Whose source is the connection."""

    async def publish_all() -> None:
        for source in {event.source for event in HISTORY}:
            async with AsyncEventPublisher(settings=settings, source=source) as publisher:
                for event in HISTORY:
                    if event.source == source:
                        assert await call(publisher, event) == event.id

    if is_async:
        asyncio.run(publish_all())
    else:
        for event in HISTORY:
            with EventPublisher(settings=settings, source=event.source) as publisher:
                assert call(publisher, event) == event.id
    consume(consumer)
    assert_recorded(engine)
