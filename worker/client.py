"""Publish events from Python. Needs only Redis: imports neither PostgreSQL's driver nor Celery."""

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

    When a call returns, Redis has acknowledged the event and it will be applied. After `redis.RedisError` the event may
    or may not be in the stream: publish it again with the same `id`; it counts once.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        source: str = "python",
        settings: Settings | None = None,
        retries: int = 3,
    ) -> None:
        """Connect to `redis_url`, by default REDIS_URL. `source` names this publisher in the events it makes itself.

        A call is repeated up to `retries` times when the connection breaks or times out.
        """
        settings = settings or get_settings()
        if redis_url is not None:
            try:
                settings = settings.model_copy(update={"redis_url": canonical(redis_url)})
            except ValueError as error:
                raise ConfigurationError(f"redis_url: {error}") from None
        self._redis = connect(settings, retries=retries)
        self._keys = Keys.of(settings)
        self._source = source

    def publish(self, event: Event | Mapping[str, Any]) -> str:
        """Append an event, a model of `worker.contract.event` or a CloudEvent as a mapping; return its entry id.

        A mapping is not validated here: an invalid one becomes a dead letter.
        """
        return publish.append(self._redis, *self._addressed(event), self._keys.instead_of)

    def publish_many(self, events: Iterable[Event | Mapping[str, Any]]) -> int:
        """Append the events in order, pipelined; return their number. After an error, some of them may be appended."""
        return self._append(self._addressed(event) for event in events)

    def publish_raw(self, bodies: Iterable[tuple[int | None, bytes]]) -> int:
        """Append (partition key, JSON bytes) pairs in order, byte for byte; otherwise like `publish_many`.

        The key is the `partition_key` of the event's data.
        """
        return self._append((self._keys.stream_for(key), body) for key, body in bodies)

    def lesson_viewed(
        self, *, occurred_at: datetime | None = None, event_id: str | None = None, **activity: int | None
    ) -> str:
        """Publish that a learner viewed a lesson, by default now.

        `activity` takes the members of `LessonActivity`; an invalid section or duration counts as missing. Raises
        pydantic.ValidationError for ids or a time out of range.
        """
        return self.publish(LessonViewed(**self._envelope(occurred_at, event_id), data=_activity(activity)))

    def lesson_completed(
        self, *, occurred_at: datetime | None = None, event_id: str | None = None, **activity: int | None
    ) -> str:
        """Publish that a learner completed a lesson; otherwise like `lesson_viewed`."""
        return self.publish(LessonCompleted(**self._envelope(occurred_at, event_id), data=_activity(activity)))

    def publish_outline(self, outline: Outline, time: str | None = None) -> datetime:
        """Publish a course's outline with an RFC 3339 time, by default now by Redis' clock; return that time.

        Idempotent. Raises redis.RedisError, and InputError, before publishing, for an outline a worker would refuse.
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
        """Return the time by Redis' clock, which workers compare the times of events with."""
        return clock(self._redis)

    def add_totals(self, new: Totals) -> None:
        """Count events that were applied without the stream."""
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
        """Return Redis' time, or this host's while Redis is unavailable, so that input errors are reported first."""
        try:
            return self.clock()
        except RedisError:
            return datetime.now(UTC)

    def _envelope(self, occurred_at: datetime | None, event_id: str | None) -> dict[str, Any]:
        when: dict[str, Any] = {"time": occurred_at} if occurred_at else {"time": datetime.now(UTC), "untimed": True}
        return {"id": event_id or str(uuid4()), "source": self._source, **when}

    def _addressed(self, event: Event | Mapping[str, Any]) -> tuple[str, bytes]:
        if isinstance(event, CloudEvent):
            # Null is a value in a correction and means nothing elsewhere.
            body = event.model_dump_json(exclude_none=not isinstance(event, ProgressCorrected)).encode()
            return self._keys.stream_for(partition_key(vars(event.data))), body
        return self._keys.stream_for(partition_key(event.get("data"))), to_json(event)


def _activity(members: Mapping[str, int | None]) -> LessonActivity:
    return LessonActivity.model_validate(members)
