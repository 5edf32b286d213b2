"""How far each stream is delivered, trimmed and acknowledged. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from worker.contract.entry_id import BEGINNING, EntryId, format_id, parse_id
from worker.streams.connection import Redis

_PENDING_PAGE = 1_000
_ENTRIES_PAGE = 64


@dataclass(frozen=True, slots=True)
class StreamState:
    """One stream at one moment."""

    stream: str
    last_delivered: EntryId
    """To the group; BEGINNING without a group."""
    first_kept: EntryId | None
    is_whole: bool
    """Nothing was ever trimmed or deleted."""

    def has_all_since(self, position: EntryId) -> bool:
        """Return whether certainly no entry above the position was trimmed."""
        return self.is_whole or (self.first_kept is not None and self.first_kept <= position)


def read(redis: Redis, group: str, streams: Iterable[str]) -> list[StreamState]:
    """Read the state of every stream that exists; a key of another type is left out."""
    return [_read(redis, group, stream) for stream in streams if redis.type(stream) == b"stream"]


def _read(redis: Redis, group: str, stream: str) -> StreamState:
    groups: Any = redis.xinfo_groups(stream)
    delivered = [each["last-delivered-id"].decode() for each in groups if each["name"].decode() == group]
    info: Any = redis.xinfo_stream(stream)
    first = info["first-entry"]
    return StreamState(
        stream=stream,
        last_delivered=parse_id(delivered[0]) if delivered else BEGINNING,
        first_kept=parse_id(first[0].decode()) if first else None,
        is_whole=info["length"] == info["entries-added"],
    )


def has_entry(redis: Redis, stream: str, entry_id: EntryId) -> bool:
    """Return whether the entry is in the stream."""
    return bool(redis.xrange(stream, min=format_id(entry_id), max=format_id(entry_id)))


def highest_acknowledged(redis: Redis, group: str, state: StreamState, above: EntryId) -> EntryId | None:
    """Return the highest entry above this id that was delivered and is not pending; None without any."""
    last = state.last_delivered
    if last <= above:
        return None
    pending = _pending(redis, group, state.stream, above, last)
    if last not in pending:
        return last  # perhaps trimmed since
    start = format_id(last)
    while page := _entries_down(redis, state.stream, start, above):
        for entry_id in page:
            if entry_id not in pending:
                return entry_id
        start = f"({format_id(page[-1])}"
    return None


def _pending(redis: Redis, group: str, stream: str, above: EntryId, last: EntryId) -> set[EntryId]:
    found: set[EntryId] = set()
    start = f"({format_id(above)}"
    while True:
        page: Any = redis.xpending_range(stream, group, start, format_id(last), _PENDING_PAGE)
        if not page:
            return found
        found |= {parse_id(row["message_id"].decode()) for row in page}
        start = f"({page[-1]['message_id'].decode()}"


def _entries_down(redis: Redis, stream: str, start: str, above: EntryId) -> list[EntryId]:
    page: Any = redis.xrevrange(stream, max=start, min=f"({format_id(above)}", count=_ENTRIES_PAGE)
    return [parse_id(entry_id.decode()) for entry_id, _ in page]
