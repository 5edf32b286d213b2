"""The Celery tasks: thin calls into the packages that do the work.

| task                                 | started by                | does                                          |
|--------------------------------------|---------------------------|-----------------------------------------------|
| `progress.consume_events`            | each worker (wake-ups)    | drains the streams for one time slice         |
| `progress.maintain`                  | beat                      | housekeeping                                  |
| `progress.refresh_summaries`         | beat                      | refreshes stale summaries                     |
| `progress.refresh_course_statistics` | beat                      | refreshes the statistics of changed courses   |
| `progress.refresh_activity`          | beat                      | refreshes the activity of changed enrollments |
| `progress.apply_retention`           | beat, if retention is on  | deletes old events from the ledger            |
| `progress.lesson_viewed`             | an LMS, through Celery    | appends the event to a stream                 |
| `progress.lesson_completed`          | an LMS, through Celery    | appends the event to a stream                 |
| `progress.lesson_reopened`           | an LMS, through Celery    | appends the event to a stream                 |
| `progress.unknown_lesson_task`       | a misspelt one of those   | keeps it as a dead letter                     |
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from celery import Task
from celery.exceptions import Reject
from redis import RedisError

from worker.analytics.activity_refresh import refresh_activity as refresh_changed_activity
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.celery import app
from worker.celery_support import worker_process
from worker.celery_support.scheduled_task import Scheduled
from worker.client import EventPublisher
from worker.consume.maintenance import maintain as maintain_everything
from worker.consume.server_errors import describe, is_known
from worker.contract.event import partition_key
from worker.contract.parse import AMBIGUOUS
from worker.database.server import read_clock
from worker.errors import first_line
from worker.liveness import Heartbeat
from worker.logs import get_logger
from worker.ops import misrouted_tasks
from worker.ops.clocks import clocks_complaint
from worker.printable import printable
from worker.progress.retention import delete_expired
from worker.settings import get_settings
from worker.summary.refresh import refresh_summaries as refresh_stale_summaries

log = get_logger(__name__)

POSITIONAL = ("user_course_id", "topic_id", "lesson_id")
"""The members that a publishing task also takes by position."""
APPEND_SECONDS = 10.0
"""How long a publishing task waits for a Redis that is away or full before it returns to the queue."""


class CeleryHost:
    """A Celery worker as the host of a drain."""

    def __init__(self) -> None:
        self._heartbeat = Heartbeat(get_settings().runtime_directory)

    def wake_up(self) -> None:
        """Ask this worker for another `progress.consume_events`."""
        worker_process.wake_up()

    def is_stopping(self) -> bool:
        """Return whether the worker is shutting down."""
        return worker_process.is_stopping()

    def beat(self) -> None:
        """Report to `health live` that the drain is alive."""
        self._heartbeat.beat()

    def end(self) -> None:
        """Report that no drain runs here any longer."""
        self._heartbeat.end()


@app.task(name="progress.consume_events")
def consume_events() -> None:
    """Drain the streams for one time slice. A lost or repeated call is harmless."""
    host = CeleryHost()
    try:
        worker_process.current_drain(host, get_settings().slice_seconds).run()
    finally:
        host.end()


@app.task(name="progress.maintain", base=Scheduled)
def maintain() -> None:
    """Run the housekeeping. Overlapping runs are harmless; the next run catches up."""
    consumer = worker_process.current_consumer()
    with _postpone("maintenance_postponed"):
        done = maintain_everything(get_settings(), consumer.redis, consumer.engine, _go_on)
        found_something = any(asdict(done).values())
        log.log(logging.INFO if found_something else logging.DEBUG, "maintained", **asdict(done))
        misrouted_tasks.warn_now_and_then(get_settings())


@app.task(name="progress.refresh_summaries", base=Scheduled)
def refresh_summaries() -> None:
    """Refresh stale summaries for one time slice at most. Overlapping runs share the work."""
    settings = get_settings()
    engine, go_on = worker_process.current_consumer().engine, _for_at_most(settings.slice_seconds)
    with _postpone("refresh_postponed", rollup="summaries"):
        done = refresh_stale_summaries(engine, settings.summary_chunk, go_on)
        _log_refreshed("summaries", done.summaries, done.oldest_change_at)
        if done.failed:
            log.warning("refresh_failed", rollup="summaries", enrollments=done.failed)


@app.task(name="progress.refresh_course_statistics", base=Scheduled)
def refresh_course_statistics() -> None:
    """Refresh the statistics of changed courses that are due, for one time slice. Overlapping runs share the work."""
    settings = get_settings()
    engine, go_on = worker_process.current_consumer().engine, _for_at_most(settings.slice_seconds)
    with _postpone("refresh_postponed", rollup="course_statistics"):
        done = refresh_statistics(
            engine,
            settings.statistics_timeout_seconds,
            AnalysisThresholds.of(settings),
            go_on,
            pause_seconds=settings.statistics_seconds,
        )
        _log_refreshed("course_statistics", done.courses, done.oldest_change_at)
        if done.failed:
            log.warning("refresh_failed", rollup="course_statistics", courses=done.failed)


@app.task(name="progress.refresh_activity", base=Scheduled)
def refresh_activity() -> None:
    """Refresh the activity of changed enrollments for one time slice at most. Of overlapping runs, one continues."""
    settings = get_settings()
    engine, go_on = worker_process.current_consumer().engine, _for_at_most(settings.slice_seconds)
    with _postpone("refresh_postponed", rollup="activity"):
        done = refresh_changed_activity(
            engine,
            settings.summary_chunk,
            settings.idle_cutoff_seconds,
            go_on,
            long_seconds=settings.statistics_timeout_seconds,
        )
        _log_refreshed("activity", done.enrollments, done.oldest_change_at)
        if done.failed:
            log.warning("refresh_failed", rollup="activity", enrollments=done.failed)


@app.task(name="progress.apply_retention", base=Scheduled)
def apply_retention() -> None:
    """Delete expired events from the ledger, if retention is on. Overlapping runs share the work."""
    days = get_settings().retention_days
    if days is None:
        return
    consumer = worker_process.current_consumer()
    with _postpone("retention_postponed"):
        # If the clocks differ, any of them may be wrong, and an event that seems old may be new.
        if complaint := clocks_complaint(consumer.engine, consumer.redis, get_settings().clock_tolerance_seconds):
            log.warning("retention_refused", detail=complaint)
            return
        deleted = delete_expired(consumer.engine, days, _for_at_most(get_settings().slice_seconds))
        log.log(logging.INFO if deleted else logging.DEBUG, "retention_applied", events=deleted)


@contextmanager
def _postpone(log_event: str, **details: str) -> Iterator[None]:
    """Log an error of a server or its configuration instead of raising it; the next run catches up."""
    try:
        yield
    except Exception as error:
        if not is_known(error):
            raise
        log.warning(log_event, **details, detail=describe(error, get_settings()))


def _log_refreshed(rollup: str, refreshed: int, oldest_change_at: datetime | None) -> None:
    behind = None
    if oldest_change_at is not None:
        now = read_clock(worker_process.current_consumer().engine)
        behind = round((now - oldest_change_at).total_seconds(), 3)
    level = logging.INFO if refreshed or behind else logging.DEBUG
    log.log(level, "refreshed", rollup=rollup, refreshed=refreshed, behind_seconds=behind)


def _go_on() -> bool:
    return not worker_process.is_stopping()


def _for_at_most(seconds: float) -> Callable[[], bool]:
    ends_at = time.monotonic() + seconds
    return lambda: _go_on() and time.monotonic() < ends_at


@app.task(name="progress.lesson_viewed", bind=True, acks_late=True, reject_on_worker_lost=True)
def lesson_viewed(self: "Task[Any, Any]", /, *ids: Any, **members: Any) -> None:
    """Append a `lesson.viewed` event, given its data members, `occurred_at` and optionally `event_id` and `source`.

    `user_course_id`, `topic_id` and `lesson_id` may be positional, in this order. Names (`learner`, `lesson`, …) belong
    to the `source`, the connection; without one it is `celery`.
    """
    _append(self, "lesson.viewed", ids, members)


@app.task(name="progress.lesson_completed", bind=True, acks_late=True, reject_on_worker_lost=True)
def lesson_completed(self: "Task[Any, Any]", /, *ids: Any, **members: Any) -> None:
    """Append a `lesson.completed` event, like `progress.lesson_viewed`."""
    _append(self, "lesson.completed", ids, members)


@app.task(name="progress.lesson_reopened", bind=True, acks_late=True, reject_on_worker_lost=True)
def lesson_reopened(self: "Task[Any, Any]", /, *ids: Any, **members: Any) -> None:
    """Append a `lesson.reopened` event, like `progress.lesson_viewed`."""
    _append(self, "lesson.reopened", ids, members)


@app.task(name="progress.unknown_lesson_task", bind=True, acks_late=True, reject_on_worker_lost=True)
def unknown_lesson_task(self: "Task[Any, Any]", /, *ids: Any, **members: Any) -> None:
    """Append an event whose type is the unknown name that the task was sent by, so that it becomes a dead letter."""
    _append(self, str(self.request.get("unknown_task")), ids, members)


def _append(task: "Task[Any, Any]", event_type: str, ids: tuple[Any, ...], members: dict[str, Any]) -> None:
    """Append the event without validation: an invalid one becomes a visible dead letter instead of a failed task.

    So does an event without a time, which only its sender knows: this may run much later, and by another clock. Waits
    for Redis here, because Celery would publish a retry to the same Redis. A redelivered task has the same id, so it is
    the same event.
    """
    event_id, occurred_at = members.pop("event_id", None), members.pop("occurred_at", None)
    source = members.pop("source", None)
    event = {
        "specversion": "1.0",
        "id": task.request.id if event_id is None else event_id,
        "source": "celery" if source is None else source,
        "type": event_type,
        "data": _data(task, ids, members),
    }
    if occurred_at is not None:
        event["time"] = occurred_at
    body = json.dumps(event).encode()  # writes everything that Celery's reader accepts
    give_up_at = time.monotonic() + APPEND_SECONDS
    while True:
        try:
            _publisher().publish_raw([(partition_key(event["data"]), body)])
            return
        except RedisError as error:
            log.warning("publishing_postponed", event_type=event_type, detail=describe(error, get_settings()))
            if worker_process.is_stopping() or time.monotonic() > give_up_at:
                raise Reject(first_line(error), requeue=True) from error
            time.sleep(1)


def _data(task: "Task[Any, Any]", ids: tuple[Any, ...], members: dict[str, Any]) -> dict[str, Any]:
    """Return the members with the positional ids. Arguments of two meanings are kept as they are, as no valid event."""
    named = dict(zip(POSITIONAL, ids, strict=False))
    if len(ids) <= len(POSITIONAL) and not named.keys() & members.keys():
        return named | members
    log.error(
        "task_arguments_ambiguous",
        task=task.name,
        id=printable(str(task.request.id)),
        detail=f"Kept as a dead letter: {AMBIGUOUS}.",
    )
    return {"args": ids, "kwargs": members}


@cache
def _publisher() -> EventPublisher:
    return EventPublisher()
