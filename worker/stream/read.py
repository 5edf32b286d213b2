"""Read entries as a member of the consumer group, take over those of the dead, acknowledge.

An entry read is pending until it is acknowledged; acknowledged only after the transaction that recorded it committed.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from redis import ResponseError

from worker.domain.entry import Entry
from worker.stream.connection import Redis
from worker.stream.keys import FIELD, GROUP


def create_groups(redis: Redis, streams: Iterable[str]) -> None:
    """Make the group wherever it is missing, from the first entry on, never from `$`: nothing waiting is skipped."""
    for stream in streams:
        try:
            redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


def is_missing_group(error: Exception) -> bool:
    """The group is gone: a flush, a deleted key, a restore."""
    return isinstance(error, ResponseError) and str(error).startswith("NOGROUP")


def read_new(redis: Redis, consumer: str, streams: Sequence[str], count: int, block_seconds: float | None) -> list[Entry]:
    """Up to `count` entries *per stream* that nobody was given yet; waits up to `block_seconds` when there are none."""
    block = None if block_seconds is None else max(1, int(block_seconds * 1000))
    answer = redis.xreadgroup(GROUP, consumer, dict.fromkeys(streams, ">"), count=count, block=block)
    return _entries(answer)


def read_pending(redis: Redis, consumer: str, streams: Sequence[str], count: int) -> list[Entry]:
    """Up to `count` entries per stream that this consumer was given and has not acknowledged, oldest first."""
    return _entries(redis.xreadgroup(GROUP, consumer, dict.fromkeys(streams, "0"), count=count))


def reclaim(
    redis: Redis, consumer: str, stream: str, idle_seconds: float, cursor: str, count: int
) -> tuple[str, list[Entry]]:
    """Take over up to `count` entries that have been pending with anyone for `idle_seconds`.

    Returns the cursor to go on from (`0-0`: the whole pending list was seen) and the entries.
    """
    following, entries, _deleted = redis.xautoclaim(stream, GROUP, consumer, int(idle_seconds * 1000), cursor, count=count)
    return following.decode(), _entries([[stream.encode(), entries]])


def delivery_counts(redis: Redis, consumer: str, entries: Sequence[Entry]) -> dict[Entry, int]:
    """How often each of these pending entries of the consumer was delivered to anyone, this time included."""
    known = {(entry.stream, entry.id): entry for entry in entries}
    counts: dict[Entry, int] = {}
    for stream, its in _by_stream(entries):
        ids = sorted((entry.id for entry in its), key=_id_order)
        for row in redis.xpending_range(stream, GROUP, ids[0], ids[-1], len(ids), consumername=consumer):
            entry = known.get((stream, row["message_id"].decode()))
            if entry is not None:
                counts[entry] = row["times_delivered"]
    return counts


def acknowledge(redis: Redis, entries: Iterable[Entry]) -> None:
    """Take the entries off the pending lists. Plain XACK, not MULTI: a full Redis still accepts it."""
    pipeline = redis.pipeline(transaction=False)
    for stream, its in _by_stream(entries):
        pipeline.xack(stream, GROUP, *(entry.id for entry in its))
    pipeline.execute()


def _by_stream(entries: Iterable[Entry]) -> Iterable[tuple[str, list[Entry]]]:
    for stream, its in groupby(sorted(entries, key=attrgetter("stream")), key=attrgetter("stream")):
        yield stream, list(its)


def _id_order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)


def _entries(answer: Iterable[Sequence[object]]) -> list[Entry]:
    """An entry deleted while it was pending comes without fields; it keeps None as its body and is acknowledged."""
    entries = []
    for stream, items in answer or ():
        name = stream.decode()
        for entry_id, fields in items:
            entries.append(Entry(name, entry_id.decode(), (fields or {}).get(FIELD.encode())))
    return entries
