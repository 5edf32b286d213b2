"""Read entries as a member of the consumer group, reclaim those of dead consumers, acknowledge.

An entry read is pending until it is acknowledged, which happens only after the transaction that recorded it committed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Any, cast

from redis import OutOfMemoryError, ResponseError

from worker.contract.committed import Committed
from worker.contract.entry import FIELD, GROUP, Entry
from worker.contract.entry_id import parse_id
from worker.errors import ServerUnavailableError
from worker.streams import accounting
from worker.streams.connection import Redis

_PENDING_PAGE = 1_000
_FIELD = FIELD.encode()

Item = tuple[bytes, Sequence[bytes] | None]
"""An entry as Redis sends it: its id and its alternating field names and values; None if it was deleted."""


def create_groups(redis: Redis, group: str, streams: Iterable[str]) -> None:
    """Create the group where it is missing, at the first entry and never at `$`, so that no waiting entry is skipped.

    Removes a group of the name that older versions used for every stream key, after the new one exists; entries that
    it had read are recorded again, which changes nothing.

    A full Redis refuses even if the group exists; raises ServerUnavailableError only if it does not.
    """
    for stream in streams:
        try:
            accounting.create_group(redis, group, stream)
        except OutOfMemoryError as error:
            if not _has_group(redis, group, stream):
                raise ServerUnavailableError(
                    f"Redis is full and the stream {stream} has no consumer group yet: raise its maxmemory a little."
                ) from error
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        if group != GROUP:
            redis.xgroup_destroy(stream, GROUP)


def is_missing_group(error: Exception) -> bool:
    """Return whether the group is gone (flushed, deleted, restored). Redis 7.0 sends UNBLOCKED to blocked readers."""
    return isinstance(error, ResponseError) and str(error).startswith(("NOGROUP", "UNBLOCKED"))


def read_new(
    redis: Redis, group: str, consumer: str, streams: Sequence[str], count: int, block_seconds: float | None
) -> list[Entry]:
    """Read up to `count` new entries *per stream*; wait up to `block_seconds` if there are none."""
    block = None if block_seconds is None else max(1, int(block_seconds * 1000))
    answer: Any = redis.xreadgroup(group, consumer, dict.fromkeys(streams, ">"), count=count, block=block)
    return [entry for stream, items in answer or () for entry in _entries(stream, items)]


def read_pending(redis: Redis, group: str, consumer: str, after: Mapping[str, str], count: int) -> list[Entry]:
    """Read up to `count` entries per stream that are pending on this consumer, oldest first.

    `after` names the streams, each with the entry id to continue after (`0`: from the first). An entry deleted since
    its delivery has no fields: it is acknowledged here without being counted, and so shows up as vanished.
    """
    answer: Any = redis.xreadgroup(group, consumer, dict(after.items()), count=count)
    for stream, items in answer or ():
        if deleted := [entry_id for entry_id, fields in items if not fields]:
            redis.xack(stream, group, *deleted)
    return [entry for stream, items in answer or () for entry in _entries(stream, [item for item in items if item[1]])]


def reclaim(
    redis: Redis, group: str, consumer: str, stream: str, idle_seconds: float, cursor: str, count: int
) -> tuple[str, list[Entry]]:
    """Claim up to `count` entries that have been pending on any consumer for `idle_seconds`.

    Returns the cursor to continue from (`0-0`: end of the pending list) and the entries.
    """
    following, entries, _deleted = redis.xautoclaim(
        stream, group, consumer, int(idle_seconds * 1000), cursor, count=count
    )
    return following.decode(), _entries(stream.encode(), entries)


def claim(redis: Redis, group: str, consumer: str, stream: str, entry_ids: Sequence[str]) -> list[Entry]:
    """Claim these entries, however long they have been pending; entries no longer pending are left out."""
    answer: Any = redis.xclaim(stream, group, consumer, 0, list(entry_ids))
    return _entries(stream.encode(), answer)


def read_range(redis: Redis, stream: str, first: str, last: str, count: int) -> list[Entry]:
    """Return up to `count` entries from `first` to `last` (`(` before an id excludes it), without delivering them."""
    untyped: Any = redis
    # The name in bytes, because redis-py would make a dictionary of each entry and lose repeated fields.
    return _entries(stream.encode(), untyped.execute_command(b"XRANGE", stream, first, last, "COUNT", count))


def delivery_counts(redis: Redis, group: str, consumer: str, entries: Sequence[Entry]) -> dict[Entry, int]:
    """Return how often each of these pending entries of the consumer was delivered to any, including this time."""
    known = {(entry.stream, entry.id): entry for entry in entries}
    counts: dict[Entry, int] = {}
    for stream, its in _by_stream(entries):
        ids = sorted((entry.id for entry in its), key=parse_id)
        for row in chain.from_iterable(_pending_pages(redis, group, stream, consumer, ids[0], ids[-1])):
            entry = known.get((stream, row["message_id"].decode()))
            if entry is not None:
                counts[entry] = row["times_delivered"]
    return counts


def keep(redis: Redis, group: str, consumer: str, entries: Iterable[Entry]) -> None:
    """Reset the idle time of these pending entries, so that no other consumer reclaims them."""
    for stream, its in _by_stream(entries):
        redis.xclaim(stream, group, consumer, 0, [entry.id for entry in its], justid=True)


def give_back(
    redis: Redis,
    group: str,
    consumer: str,
    entries: Iterable[Entry],
    idle_seconds: float,
    deliveries: int | None = None,
) -> None:
    """Set the idle time of these pending entries, so that any consumer reclaims them sooner; `deliveries` if given."""
    idle = max(0, int(idle_seconds * 1000))
    for stream, its in _by_stream(entries):
        ids = [entry.id for entry in its]
        redis.xclaim(stream, group, consumer, 0, list(ids), idle=idle, retrycount=deliveries, justid=True)


def give_back_pending(redis: Redis, group: str, consumer: str, streams: Iterable[str], idle_seconds: float) -> None:
    """Set the idle time of everything pending on the consumer; its deliveries are kept."""
    for stream in streams:
        for page in _pending_pages(redis, group, stream, consumer, "-", "+"):
            ids = [row["message_id"] for row in page]
            redis.xclaim(stream, group, consumer, 0, ids, idle=int(idle_seconds * 1000), justid=True)


def acknowledge(
    redis: Redis,
    group: str,
    entries: Iterable[Entry],
    consumer: str = "",
    committed: Mapping[str, Committed] = MappingProxyType({}),
) -> None:
    """Remove the entries from the pending lists, in one round trip that a full Redis accepts.

    `committed` has the consumer's commit mark of each stream.
    """
    ids = {stream: [entry.id for entry in its] for stream, its in _by_stream(entries)}
    accounting.acknowledge(redis, group, ids, consumer, committed)


def _pending_pages(
    redis: Redis, group: str, stream: str, consumer: str, first: str, last: str
) -> Iterator[list[dict[str, Any]]]:
    """Yield the consumer's pending entries from `first` to `last` by page."""
    start = first
    while page := cast(
        "list[dict[str, Any]]",
        redis.xpending_range(stream, group, start, last, _PENDING_PAGE, consumername=consumer),
    ):
        yield page
        start = f"({page[-1]['message_id'].decode()}"


def _has_group(redis: Redis, group: str, stream: str) -> bool:
    groups: Any = redis.xinfo_groups(stream) if redis.exists(stream) else ()
    return any(each["name"] == group.encode() for each in groups)


def _by_stream(entries: Iterable[Entry]) -> Iterable[tuple[str, list[Entry]]]:
    for stream, its in groupby(sorted(entries, key=attrgetter("stream")), key=attrgetter("stream")):
        yield stream, list(its)


def _entries(stream: bytes, items: Iterable[Item]) -> list[Entry]:
    name = stream.decode()
    return [_entry(name, entry_id.decode(), fields or ()) for entry_id, fields in items]


def _entry(stream: str, entry_id: str, fields: Sequence[bytes]) -> Entry:
    """Return the entry with its field `event` as body, or without body unless there is exactly one."""
    if len(fields) == 2 and fields[0] == _FIELD:
        return Entry(stream, entry_id, fields[1])
    names = fields[::2]
    if names.count(_FIELD) != 1:
        return Entry(stream, entry_id, None, tuple(fields))
    at = 2 * names.index(_FIELD)
    return Entry(stream, entry_id, fields[at + 1], (*fields[:at], *fields[at + 2 :]))
