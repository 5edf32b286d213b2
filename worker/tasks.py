"""The Celery tasks: each says what it calls and little more.

| task                        | started by                    | does                                         |
|-----------------------------|-------------------------------|----------------------------------------------|
| `progress.consume_events`   | beat, and itself as it ends   | drains the streams for one time slice         |
| `progress.maintain`         | beat                          | housekeeping                                  |
| `progress.lesson_viewed`    | an LMS that speaks Celery     | appends the event to the stream               |
| `progress.lesson_completed` | an LMS that speaks Celery     | appends the event to the stream               |
"""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

from celery import Task
from kombu.exceptions import OperationalError
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from worker import process
from worker.celery import app
from worker.client import EventPublisher
from worker.errors import first_line
from worker.health import Heartbeat
from worker.services.drain import Drain
from worker.services.maintain import maintain as maintain_everything
from worker.settings import get_settings
from worker.telemetry import get_logger

log = get_logger(__name__)

RING_LIFE_SECONDS = 60
"""A ring that waited this long for a free slot is pointless: later ones are behind it."""


class CeleryHost:
    """A drain's surroundings in a Celery worker: the doorbell is a task message without data."""

    def __init__(self) -> None:
        self._heartbeat = Heartbeat(get_settings().runtime_directory)

    def ring(self) -> None:
        """Queue another `progress.consume_events`. When the broker refuses, beat's next ring does as well."""
        try:
            consume_events.apply_async(expires=RING_LIFE_SECONDS, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            log.warning("ring_lost", detail=str(error))

    def is_stopping(self) -> bool:
        """The worker is shutting down."""
        return process.is_stopping()

    def beat(self) -> None:
        """Keep `health live` content."""
        self._heartbeat.beat()

    def end(self) -> None:
        """No drain runs here any more."""
        self._heartbeat.end()


@app.task(name="progress.consume_events")
def consume_events() -> None:
    """Drain the streams for one time slice. Losing a call, or calling twice, is harmless."""
    host = CeleryHost()
    try:
        Drain(process.current_consumer(), host, get_settings().slice_seconds).run()
    finally:
        host.end()


@app.task(name="progress.maintain")
def maintain() -> None:
    """Sweep parked events, remove dead consumers, trim. Overlapping runs are harmless; the next one catches up."""
    consumer = process.current_consumer()
    try:
        done = maintain_everything(get_settings(), consumer.redis, consumer.engine)
    except (SQLAlchemyError, RedisError) as error:
        log.warning("maintenance_postponed", detail=first_line(error))
    else:
        log.info("maintained", **asdict(done))


@app.task(name="progress.lesson_viewed", bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
def lesson_viewed(self: "Task[Any, Any]", /, **members: Any) -> None:
    """Append a `lesson.viewed` event: its data members, and optionally `occurred_at` and `event_id`."""
    _append(self, "lesson.viewed", members)


@app.task(name="progress.lesson_completed", bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
def lesson_completed(self: "Task[Any, Any]", /, **members: Any) -> None:
    """Append a `lesson.completed` event, otherwise like `progress.lesson_viewed`."""
    _append(self, "lesson.completed", members)


def _append(task: "Task[Any, Any]", event_type: str, members: dict[str, Any]) -> None:
    """Append without judging: wrong members end in `dead_letter`, where they can be seen, not in a failed task.

    A task delivered again, or tried again while Redis is away, appends the same event.
    """
    members.setdefault("occurred_at", datetime.now(UTC).isoformat())
    members.setdefault("event_id", task.request.id)
    data = {name: value for name, value in members.items() if name not in {"occurred_at", "event_id"}}
    event = {
        "specversion": "1.0",
        "id": members["event_id"],
        "source": "celery",
        "type": event_type,
        "time": members["occurred_at"],
        "data": data,
    }
    try:
        _publisher().publish(event)
    except RedisError as error:
        raise task.retry(exc=error, kwargs=members, countdown=min(60, 2**task.request.retries)) from error


@cache
def _publisher() -> EventPublisher:
    return EventPublisher()
