"""Read the streams of another system's event bus, perhaps in a Redis of its own, as a consumer group of ours.

Whoever writes them trims them too, whether we have read them or not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis import ResponseError

from worker.streams.connection import Redis

CONSUMER = "bridge"
"""One name, so that a process that starts again finds what its predecessor read and did not acknowledge."""

MAX_COUNTED = 10_000
"""Entries that are read to count them where Redis cannot say how many there are."""


class BusEntry(NamedTuple):
    """An entry as it was read; without fields if it was trimmed meanwhile."""

    stream: str
    id: bytes
    fields: dict[bytes, bytes] | None


@dataclass(frozen=True)
class Waiting:
    """What of a stream is not acknowledged."""

    stream: str
    entries: int
    lost: int
    """How many of them were trimmed before they were read, as far as Redis can tell."""


def create_groups(redis: Redis, group: str, streams: Iterable[str]) -> None:
    """Create the group where it is missing, at the first entry; and the stream, which may get its first one later."""
    for stream in streams:
        try:
            redis.xgroup_create(stream, group, "0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


def read_again(redis: Redis, group: str, streams: Sequence[str], count: int) -> list[BusEntry]:
    """Return up to `count` entries per stream that were read and not acknowledged, oldest first."""
    return _entries(redis.xreadgroup(group, CONSUMER, dict.fromkeys(streams, "0"), count=count))


def read_new(redis: Redis, group: str, streams: Sequence[str], count: int, block_seconds: float) -> list[BusEntry]:
    """Return up to `count` new entries per stream; wait up to `block_seconds` if there are none."""
    block = max(1, int(block_seconds * 1000))
    return _entries(redis.xreadgroup(group, CONSUMER, dict.fromkeys(streams, ">"), count=count, block=block))


def acknowledge(redis: Redis, group: str, entries: Iterable[BusEntry]) -> None:
    """Acknowledge the entries in one round trip."""
    by_stream: dict[str, list[bytes]] = {}
    for entry in entries:
        by_stream.setdefault(entry.stream, []).append(entry.id)
    pipeline = redis.pipeline(transaction=False)
    for stream, ids in by_stream.items():
        pipeline.xack(stream, group, *ids)
    pipeline.execute()


def measure(redis: Redis, group: str, streams: Iterable[str]) -> list[Waiting]:
    """Return what waits in each stream that has the group."""
    found = []
    for stream in streams:
        length: Any = redis.xlen(stream)
        groups: Any = redis.xinfo_groups(stream)
        for each in groups:
            if each["name"] == group.encode():
                lag = each.get("lag")  # Redis 6 has none, and later ones do not know it once an entry was deleted
                if lag is None:
                    lag = _count_after(redis, stream, each["last-delivered-id"].decode())
                found.append(Waiting(stream, lag + each["pending"], max(0, lag - length)))
    return found


def _count_after(redis: Redis, stream: str, entry_id: str) -> int:
    entries: Any = redis.xrange(stream, min=f"({entry_id}", count=MAX_COUNTED)
    return len(entries)


def _entries(answer: Any) -> list[BusEntry]:
    """Return the entries of an answer as Redis sends it: names and values in turn."""
    return [
        BusEntry(
            stream.decode(), entry_id, None if fields is None else dict(zip(fields[::2], fields[1::2], strict=True))
        )
        for stream, items in answer or ()
        for entry_id, fields in items
    ]
