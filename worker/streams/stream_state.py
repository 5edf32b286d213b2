"""How far a stream got: what was added, what was handed out, and what of it was acknowledged. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from worker.contract.entry_id import BEGINNING, EntryId, format_id, parse_id
from worker.streams.connection import Redis

_PENDING_PAGE = 1_000
_ENTRIES_PAGE = 64


@dataclass(frozen=True, slots=True)
class Standing:
    """One stream at one moment."""

    stream: str
    last_delivered: EntryId
    """To the group; the beginning where there is no group."""
    first_kept: EntryId | None
    is_whole: bool
    """Nothing was ever trimmed or deleted."""

    def has_all_since(self, position: EntryId) -> bool:
        """No entry above the position was trimmed, for certain."""
        return self.is_whole or (self.first_kept is not None and self.first_kept <= position)


def look(redis: Redis, group: str, streams: Iterable[str]) -> list[Standing]:
    """How far each stream got that exists; a key of another type is none."""
    return [_look(redis, group, stream) for stream in streams if redis.type(stream) == b"stream"]


def _look(redis: Redis, group: str, stream: str) -> Standing:
    groups: Any = redis.xinfo_groups(stream)
    delivered = [each["last-delivered-id"].decode() for each in groups if each["name"].decode() == group]
    info: Any = redis.xinfo_stream(stream)
    first = info["first-entry"]
    return Standing(
        stream=stream,
        last_delivered=parse_id(delivered[0]) if delivered else BEGINNING,
        first_kept=parse_id(first[0].decode()) if first else None,
        is_whole=info["length"] == info["entries-added"],
    )


def has_entry(redis: Redis, stream: str, entry_id: EntryId) -> bool:
    """The entry is in the stream."""
    return bool(redis.xrange(stream, min=format_id(entry_id), max=format_id(entry_id)))


def highest_acknowledged(redis: Redis, group: str, standing: Standing, above: EntryId) -> EntryId | None:
    """The highest entry above this id that was delivered and is not pending, so acknowledged; None without any."""
    last = standing.last_delivered
    if last <= above:
        return None
    pending = _pending(redis, group, standing.stream, above, last)
    if last not in pending:
        return last  # trimmed since, maybe
    most = format_id(last)
    while page := _entries_down(redis, standing.stream, most, above):
        for entry_id in page:
            if entry_id not in pending:
                return entry_id
        most = f"({format_id(page[-1])}"
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


def _entries_down(redis: Redis, stream: str, most: str, above: EntryId) -> list[EntryId]:
    page: Any = redis.xrevrange(stream, max=most, min=f"({format_id(above)}", count=_ENTRIES_PAGE)
    return [parse_id(entry_id.decode()) for entry_id, _ in page]
