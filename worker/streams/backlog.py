"""What waits in the streams: for `status`, for a drain's end, and for noticing a stream that its holder does not read.

What Redis says of its lag is a hint (after an XDEL, Redis 7.0 says 2 for ever where nothing is left; XGROUP SETID and
XSETID make it whatever they are told): whether an entry is there is looked up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis import ResponseError

from worker.streams.connection import Redis, is_wrong_type

_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """One stream as the group sees it. Ages in seconds of Redis' clock; None where there is nothing of the kind."""

    stream: str
    length: int
    lag: int
    pending: int
    consumers: int
    oldest_pending_seconds: float | None
    oldest_unread_seconds: float | None
    last_delivered_id: str


def measure(redis: Redis, group: str, streams: Iterable[str]) -> list[Backlog]:
    """The backlog of every stream that exists; one that nobody published to or read yet has none and is left out."""
    seconds, microseconds = redis.time()
    now = seconds * 1000 + microseconds // 1000
    return [backlog for stream in streams if (backlog := _measure(redis, group, stream, now)) is not None]


def is_empty(backlogs: Iterable[Backlog]) -> bool:
    """Nothing waits and nothing is pending."""
    return all(backlog.lag == 0 and backlog.pending == 0 for backlog in backlogs)


def _measure(redis: Redis, group_name: str, stream: str, now: int) -> Backlog | None:
    try:
        length = redis.xlen(stream)
        groups: Any = redis.xinfo_groups(stream)
    except ResponseError as error:
        if "no such key" in str(error) or is_wrong_type(error):
            return None
        raise
    group: Mapping[str, Any] = next((each for each in groups if each["name"].decode() == group_name), {})
    last = group["last-delivered-id"].decode() if group else "0-0"
    unread: Any = redis.xrange(stream, min=f"({last}", count=1)
    pending: Any = redis.xpending(stream, group_name) if group else {"pending": 0}
    return Backlog(
        stream=stream,
        length=length,
        lag=_lag(redis, stream, length, group.get("lag", length), last) if unread else 0,
        pending=pending["pending"],
        consumers=group.get("consumers", 0),
        oldest_pending_seconds=_age(pending["min"], now) if pending["pending"] else None,
        oldest_unread_seconds=_age(unread[0][0], now) if unread else None,
        last_delivered_id=last,
    )


def _lag(redis: Redis, stream: str, length: int, told: int | None, last: str) -> int:
    """Where something is unread: what Redis says when that can be, else what is counted, up to 10,000."""
    if told is not None and 0 < told <= length:
        return told
    return len(redis.xrange(stream, min=f"({last}", count=_COUNTED) or ())


def _age(entry_id: bytes, now: int) -> float:
    return max(0, now - int(entry_id.partition(b"-")[0])) / 1000
