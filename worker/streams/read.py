"""Read entries as a member of the consumer group, take over those of the dead, acknowledge.

An entry read is pending until it is acknowledged; acknowledged only after the transaction that recorded it committed.
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
"""An entry as Redis answers it: its id, and its fields' names and values by turns; None where it was deleted."""


def create_groups(redis: Redis, group: str, streams: Iterable[str]) -> None:
    """Make the group wherever it is missing, from the first entry on, never from `$`: nothing waiting is skipped.

    Groups were named alike whatever the stream key until they were derived from it: one of the old name is removed,
    once the new one is there; what it had read is recorded again, which changes nothing.

    A full Redis refuses even where the group exists, which is fine; raises ServerUnavailableError where it does not.
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
    """The group is gone: a flush, a deleted key, a restore. Redis 7.0 says UNBLOCKED to a reader that waits then."""
    return isinstance(error, ResponseError) and str(error).startswith(("NOGROUP", "UNBLOCKED"))


def read_new(
    redis: Redis, group: str, consumer: str, streams: Sequence[str], count: int, block_seconds: float | None
) -> list[Entry]:
    """Up to `count` entries *per stream* that nobody was given yet; waits up to `block_seconds` when there are none."""
    block = None if block_seconds is None else max(1, int(block_seconds * 1000))
    answer: Any = redis.xreadgroup(group, consumer, dict.fromkeys(streams, ">"), count=count, block=block)
    return [entry for stream, items in answer or () for entry in _entries(stream, items)]


def read_pending(redis: Redis, group: str, consumer: str, after: Mapping[str, str], count: int) -> list[Entry]:
    """Up to `count` entries per stream that this consumer was given and has not acknowledged, oldest first.

    `after` names the streams, each with the entry id to go on from (`0`: the first). An entry that somebody deleted
    meanwhile comes without fields and has nothing left to record: it is let go here, uncounted, and so it has vanished.
    """
    answer: Any = redis.xreadgroup(group, consumer, dict(after.items()), count=count)
    for stream, items in answer or ():
        if deleted := [entry_id for entry_id, fields in items if not fields]:
            redis.xack(stream, group, *deleted)
    return [entry for stream, items in answer or () for entry in _entries(stream, [item for item in items if item[1]])]


def reclaim(
    redis: Redis, group: str, consumer: str, stream: str, idle_seconds: float, cursor: str, count: int
) -> tuple[str, list[Entry]]:
    """Take over up to `count` entries that have been pending with anyone for `idle_seconds`.

    Returns the cursor to go on from (`0-0`: the whole pending list was seen) and the entries.
    """
    following, entries, _deleted = redis.xautoclaim(
        stream, group, consumer, int(idle_seconds * 1000), cursor, count=count
    )
    return following.decode(), _entries(stream.encode(), entries)


def claim(redis: Redis, group: str, consumer: str, stream: str, entry_ids: Sequence[str]) -> list[Entry]:
    """Take over these entries, however long they have been pending; those that are no longer pending stay out."""
    answer: Any = redis.xclaim(stream, group, consumer, 0, list(entry_ids))
    return _entries(stream.encode(), answer)


def read_range(redis: Redis, stream: str, first: str, last: str, count: int) -> list[Entry]:
    """Up to `count` entries of the stream from one id to another (`(` before it: without it), given to nobody."""
    untyped: Any = redis
    # Its name in bytes, or redis-py would make a dictionary of each entry, where a field counts once.
    return _entries(stream.encode(), untyped.execute_command(b"XRANGE", stream, first, last, "COUNT", count))


def delivery_counts(redis: Redis, group: str, consumer: str, entries: Sequence[Entry]) -> dict[Entry, int]:
    """How often each of these pending entries of the consumer was delivered to anyone, this time included."""
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
    """Have these pending entries count as just delivered to the consumer, so that no other takes them over."""
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
    """Have these pending entries count as idle for so long: any consumer may take them over.

    `deliveries`: have them count as delivered so often.
    """
    idle = max(0, int(idle_seconds * 1000))
    for stream, its in _by_stream(entries):
        ids = [entry.id for entry in its]
        redis.xclaim(stream, group, consumer, 0, list(ids), idle=idle, retrycount=deliveries, justid=True)


def give_back_pending(redis: Redis, group: str, consumer: str, streams: Iterable[str], idle_seconds: float) -> None:
    """Have all that is pending on the consumer count as idle for so long; deliveries are counted on."""
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
    """Take the entries off the pending lists, in one round trip that a full Redis still accepts.

    `committed` is what the consumer has committed of each stream by now.
    """
    ids = {stream: [entry.id for entry in its] for stream, its in _by_stream(entries)}
    accounting.acknowledge(redis, group, ids, consumer, committed)


def _pending_pages(
    redis: Redis, group: str, stream: str, consumer: str, first: str, last: str
) -> Iterator[list[dict[str, Any]]]:
    """The consumer's pending entries from `first` to `last`, page by page; others may lie between those asked for."""
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
    """With the value of its one field `event` as the body."""
    if len(fields) == 2 and fields[0] == _FIELD:
        return Entry(stream, entry_id, fields[1])
    names = fields[::2]
    if names.count(_FIELD) != 1:
        return Entry(stream, entry_id, None, tuple(fields))
    at = 2 * names.index(_FIELD)
    return Entry(stream, entry_id, fields[at + 1], (*fields[:at], *fields[at + 2 :]))
