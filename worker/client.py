"""Publish events from Python. Needs only Redis: imports neither PostgreSQL's driver nor Celery."""

from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from pydantic_core import to_json
from redis import RedisError

from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import CloudEvent, Event, Outline, partition_key
from worker.contract.named_event import NamedEvent, NamedOutline
from worker.contract.parse import parse_entry
from worker.contract.totals import Totals
from worker.errors import ConfigurationError, InputError
from worker.event_factory import EventMethods
from worker.redis_url import canonical
from worker.settings import Settings, get_settings
from worker.streams.connection import clock, connect, connect_async, describe
from worker.streams.keys import Keys
from worker.streams.publish import Addressed, append_many, append_many_async
from worker.streams.totals import add_totals

PIPELINE = 1_000
"""Events in one round trip of `publish_many`."""


class EventPublisher(EventMethods[str]):
    """Appends events to the stream of their partition. Safe to share between threads.

    `lesson_viewed` and the other methods named after an event type make an event, publish it and return its id. When a
    call returns, Redis has acknowledged the event and it will be applied.

    After `redis.RedisError` the event may or may not be in the stream: publish the *same* event again, and it counts
    once. So keep it until then: pass the methods an `event_id` and `occurred_at` of your own, or make the event with
    `worker.event_factory.EventFactory`, store it, and `publish` it.

    A context manager, which closes the connections.
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

        For names it is the connection: see `EventMethods`.

        A call is repeated up to `retries` times when the connection breaks or times out.
        """
        super().__init__(source)
        self._settings = settings = _settings(redis_url, settings)
        self._redis = connect(settings, retries=retries)
        self._keys = Keys.of(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def publish(self, event: Event | NamedEvent | Mapping[str, Any]) -> str:
        """Append an event, a model of `worker.contract.event` or `named_event` or a CloudEvent as a mapping.

        Returns its entry id. A mapping is not validated here: an invalid one becomes a dead letter.
        """
        with _advised(self._settings):
            return append_many(self._redis, [_addressed(self._keys, event)], self._keys.instead_of)[0]

    def publish_many(self, events: Iterable[Event | NamedEvent | Mapping[str, Any]]) -> int:
        """Append the events in order, pipelined; return their number. After an error, some of them may be appended."""
        return self._append(_addressed(self._keys, event) for event in events)

    def publish_raw(self, bodies: Iterable[tuple[int | None, bytes]]) -> int:
        """Append (partition key, JSON bytes) pairs in order, byte for byte; otherwise like `publish_many`.

        The key is the `partition_key` of the event's data.
        """
        return self._append((self._keys.stream_for(key), body) for key, body in bodies)

    def publish_outline(self, outline: Outline | NamedOutline, time: str | None = None) -> datetime:
        """Publish a course's outline with an RFC 3339 time, by default now by Redis' clock; return that time.

        Idempotent. Raises redis.RedisError, and InputError, before publishing, for an outline a worker would refuse.
        """
        return self.publish_outlines([outline], time)

    def publish_outlines(self, outlines: Iterable[Outline | NamedOutline], time: str | None = None) -> datetime:
        """Publish outlines, at least one, like `publish_outline`: none unless a worker would take each."""
        now = self._now()
        bodies = []
        for outline in outlines:
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
            event = _checked_outline(body, now, time, outline)
            bodies.append((partition_key(vars(outline)), body))
        self.publish_raw(bodies)
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

    def _take(self, event: Event | NamedEvent) -> str:
        self.publish(event)
        return event.id

    def _append(self, addressed: Iterable[Addressed]) -> int:
        with _advised(self._settings):
            return sum(len(append_many(self._redis, chunk, self._keys.instead_of)) for chunk in _chunks(addressed))

    def _now(self) -> datetime:
        """Return Redis' time, or this host's while Redis is unavailable, so that input errors are reported first."""
        try:
            return self.clock()
        except RedisError:
            return datetime.now(UTC)


class AsyncEventPublisher(EventMethods[Coroutine[Any, Any, str]]):
    """An `EventPublisher` for programs with an event loop: the same methods to publish and close, to be awaited.

    An asynchronous context manager. Use it in one event loop.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        source: str = "python",
        settings: Settings | None = None,
        retries: int = 3,
    ) -> None:
        """See `EventPublisher`."""
        super().__init__(source)
        self._settings = settings = _settings(redis_url, settings)
        self._redis = connect_async(settings, retries=retries)
        self._keys = Keys.of(settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def publish(self, event: Event | NamedEvent | Mapping[str, Any]) -> str:
        """See `EventPublisher.publish`."""
        with _advised(self._settings):
            ids = await append_many_async(self._redis, [_addressed(self._keys, event)], self._keys.instead_of)
        return ids[0]

    async def publish_many(self, events: Iterable[Event | NamedEvent | Mapping[str, Any]]) -> int:
        """See `EventPublisher.publish_many`."""
        return await self._append(_addressed(self._keys, event) for event in events)

    async def publish_raw(self, bodies: Iterable[tuple[int | None, bytes]]) -> int:
        """See `EventPublisher.publish_raw`."""
        return await self._append((self._keys.stream_for(key), body) for key, body in bodies)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _take(self, event: Event | NamedEvent) -> str:
        await self.publish(event)
        return event.id

    async def _append(self, addressed: Iterable[Addressed]) -> int:
        count = 0
        with _advised(self._settings):
            for chunk in _chunks(addressed):
                count += len(await append_many_async(self._redis, chunk, self._keys.instead_of))
        return count


def _checked_outline(body: bytes, now: datetime, time: str | None, outline: Outline | NamedOutline) -> CloudEvent:
    try:
        return parse_entry(Entry("", f"{int(now.timestamp() * 1000)}-0", body), datetime.now(UTC).timestamp() * 1000)
    except Rejection as refused:
        if refused.reason is Reason.TOO_LARGE:
            course = f" of course {outline.course!r:.100}" if isinstance(outline, NamedOutline) else ""
            raise InputError(
                f"The outline{course} is too large for one event: {refused.detail}. "
                "Shorten its titles, or leave them out."
            ) from None
        raise InputError(f"The time {time!r} would be refused: {refused.detail.removeprefix('time: ')}.") from None


def _settings(redis_url: str | None, settings: Settings | None) -> Settings:
    settings = settings or get_settings()
    if redis_url is None:
        return settings
    try:
        return settings.model_copy(update={"redis_url": canonical(redis_url)})
    except ValueError as error:
        raise ConfigurationError(f"redis_url: {error}") from None


@contextmanager
def _advised(settings: Settings) -> Iterator[None]:
    """Add to an error of Redis a sentence for people: the last line of its traceback."""
    try:
        yield
    except RedisError as error:
        error.add_note(describe(error, settings))
        raise


def _addressed(keys: Keys, event: Event | NamedEvent | Mapping[str, Any]) -> Addressed:
    if isinstance(event, CloudEvent):
        return keys.stream_for(partition_key(vars(event.data))), event.to_json()
    if not isinstance(event, Mapping):
        raise TypeError(f"Publish a model of worker.contract.event or a CloudEvent as a mapping, not {event!r:.100}")
    return keys.stream_for(partition_key(event.get("data"))), to_json(event)


def _chunks(addressed: Iterable[Addressed]) -> Iterator[list[Addressed]]:
    addressed = iter(addressed)
    while chunk := list(islice(addressed, PIPELINE)):
        yield chunk
