"""Publish events from Python. Needs Redis alone: neither PostgreSQL nor Celery is imported."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import uuid4

from pydantic_core import to_json
from redis import RedisError

from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import (
    CloudEvent,
    Event,
    LessonActivity,
    LessonCompleted,
    LessonViewed,
    Outline,
    ProgressCorrected,
    partition_key,
)
from worker.contract.parse import parse_entry
from worker.contract.totals import Totals
from worker.errors import ConfigurationError, InputError
from worker.redis_url import canonical
from worker.settings import Settings, get_settings
from worker.streams import publish
from worker.streams.connection import clock, connect
from worker.streams.keys import Keys
from worker.streams.totals import add_totals

PIPELINE = 1_000
"""Events in one round trip of `publish_many`."""


class EventPublisher:
    """Appends events to the stream of their partition. Safe to share between threads.

    When a call returns, Redis has acknowledged the event and it will be applied. When it raises `redis.RedisError`, the
    event may or may not be there: publish the same event (same `id`) again, it counts once.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        source: str = "python",
        settings: Settings | None = None,
        retries: int = 3,
    ) -> None:
        """Without `redis_url`, REDIS_URL says where. `source` names this publisher in the events it makes itself.

        A call is tried again so often when the connection is cut or silent.
        """
        settings = settings or get_settings()
        if redis_url is not None:
            try:
                settings = settings.model_copy(update={"redis_url": canonical(redis_url)})
            except ValueError as error:
                raise ConfigurationError(f"redis_url: {error}") from None
        self._redis = connect(settings, retries=retries)
        self._keys = Keys(settings.stream_key, settings.stream_partitions)
        self._source = source

    def publish(self, event: Event | Mapping[str, Any]) -> str:
        """Append one event, a model of `worker.contract.event` or a CloudEvent as a mapping; its stream entry id.

        A mapping is not judged here: what is wrong with it will stand in `dead_letter`.
        """
        return publish.append(self._redis, *self._addressed(event), self._keys.instead_of)

    def publish_many(self, events: Iterable[Event | Mapping[str, Any]]) -> int:
        """Append the events in order, pipelined; how many. After an error an unknown part of them is there."""
        return self._append(self._addressed(event) for event in events)

    def publish_raw(self, bodies: Iterable[tuple[int | None, bytes]]) -> int:
        """Append (partition key, JSON bytes) pairs in order, byte for byte, otherwise like `publish_many`.

        The key is what `partition_key` says of the event's data.
        """
        return self._append((self._keys.stream_for(key), body) for key, body in bodies)

    def lesson_viewed(
        self, *, occurred_at: datetime | None = None, event_id: str | None = None, **activity: int | None
    ) -> str:
        """Publish that a learner viewed a lesson, by default now.

        `activity` are the members of `LessonActivity`; a section or duration that is not valid counts as not given.
        Raises pydantic.ValidationError for ids or a time out of range.
        """
        return self.publish(LessonViewed(**self._envelope(occurred_at, event_id), data=_activity(activity)))

    def lesson_completed(
        self, *, occurred_at: datetime | None = None, event_id: str | None = None, **activity: int | None
    ) -> str:
        """Publish that a learner completed a lesson; otherwise like `lesson_viewed`."""
        return self.publish(LessonCompleted(**self._envelope(occurred_at, event_id), data=_activity(activity)))

    def publish_outline(self, outline: Outline, time: str | None = None) -> datetime:
        """Publish a course's outline as of an RFC 3339 time, by default now by Redis' clock; returns that time.

        Publishing an outline again replaces it with itself. Raises InputError, before anything is published, for what
        a worker would refuse, and redis.RedisError.
        """
        now = self._now()
        body = to_json(
            {
                "specversion": "1.0",
                "id": str(uuid4()),
                "source": self._source,
                "type": "course.outlined",
                "time": now if time is None else time,
                "data": outline,
            },
            exclude_none=True,
        )
        try:
            event = parse_entry(
                Entry("", f"{int(now.timestamp() * 1000)}-0", body), datetime.now(UTC).timestamp() * 1000
            )
        except Rejection as refused:
            if refused.reason is Reason.TOO_LARGE:
                raise InputError(
                    f"The outline is too large for one event: {refused.detail}. Shorten its titles, or leave them out."
                ) from None
            raise InputError(f"The time {time!r} would be refused: {refused.detail.removeprefix('time: ')}.") from None
        self.publish_raw([(outline.course_id, body)])
        return event.time

    def clock(self) -> datetime:
        """The present by Redis' clock, against which a worker judges the times of events."""
        return clock(self._redis)

    def add_totals(self, new: Totals) -> None:
        """Count what was applied without the stream."""
        add_totals(self._redis, self._keys, new)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _append(self, addressed: Iterable[tuple[str, bytes]]) -> int:
        addressed, count = iter(addressed), 0
        while chunk := list(islice(addressed, PIPELINE)):
            count += publish.append_many(self._redis, chunk, self._keys.instead_of)
        return count

    def _now(self) -> datetime:
        """By Redis' clock; while Redis is away by this host's, so that mistakes in the input are reported first."""
        try:
            return self.clock()
        except RedisError:
            return datetime.now(UTC)

    def _envelope(self, occurred_at: datetime | None, event_id: str | None) -> dict[str, Any]:
        when: dict[str, Any] = {"time": occurred_at} if occurred_at else {"time": datetime.now(UTC), "untimed": True}
        return {"id": event_id or str(uuid4()), "source": self._source, **when}

    def _addressed(self, event: Event | Mapping[str, Any]) -> tuple[str, bytes]:
        if isinstance(event, CloudEvent):
            # In a correction null is a value; elsewhere it says nothing.
            body = event.model_dump_json(exclude_none=not isinstance(event, ProgressCorrected)).encode()
            return self._keys.stream_for(partition_key(vars(event.data))), body
        return self._keys.stream_for(partition_key(event.get("data"))), to_json(event)


def _activity(members: Mapping[str, int | None]) -> LessonActivity:
    return LessonActivity.model_validate(members)
