"""Look at the streams in Redis and fill them, as a publisher in any language would."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.events import body
from worker.contract.entry import FIELD
from worker.contract.event import CloudEvent
from worker.streams.connection import Redis
from worker.streams.keys import Keys


def group_of(stream: str) -> str:
    """The consumer group on one of a test's streams, whose stream key has no colon."""
    return Keys(stream.partition(":")[0], 1).group


def add(redis: Redis, stream: str, contents: Iterable[CloudEvent | bytes]) -> list[str]:
    """Append events or bytes to the stream; their entry ids."""
    pipeline = redis.pipeline(transaction=False)
    for content in contents:
        pipeline.xadd(stream, {FIELD: content if isinstance(content, bytes) else body(content)})
    return [entry_id.decode() for entry_id in pipeline.execute()]


def length(redis: Redis, stream: str) -> int:
    """Entries in the stream."""
    return int(redis.xlen(stream))


def pending(redis: Redis, stream: str, group: str | None = None) -> dict[str, tuple[str, int]]:
    """Every pending entry: who has it, and how often it was delivered."""
    found: Any = redis.xpending_range(stream, group or group_of(stream), "-", "+", 100_000)
    return {row["message_id"].decode(): (row["consumer"].decode(), row["times_delivered"]) for row in found}


def consumers(redis: Redis, stream: str) -> set[str]:
    """The group's members on this stream."""
    found: Any = redis.xinfo_consumers(stream, group_of(stream))
    return {row["name"].decode() for row in found}


def deliver(redis: Redis, stream: str, consumer: str, entry_ids: Iterable[str], times: int) -> None:
    """Leave these entries pending with the consumer, delivered so often, as if idle for an hour."""
    redis.xreadgroup(group_of(stream), consumer, {stream: ">"}, count=100_000)
    for entry_id in entry_ids:
        redis.xclaim(stream, group_of(stream), consumer, 0, [entry_id], idle=3_600_000, retrycount=times)


@contextmanager
def full(redis: Redis) -> Iterator[None]:
    """No memory left while the block runs. Only for a server of the test's own."""
    redis.config_set("maxmemory", 1)
    try:
        yield
    finally:
        redis.config_set("maxmemory", 0)
