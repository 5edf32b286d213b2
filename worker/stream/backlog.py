"""What waits in the streams: for `status`, `top`, and for noticing a stream that its holder does not read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from redis import ResponseError

from worker.stream.connection import Redis

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
        if "no such key" in str(error):
            return None
        raise
    group = next((each for each in groups if each["name"].decode() == group_name), None)
    if group is None:
        oldest: Any = redis.xrange(stream, count=1)
        unread = _age(oldest[0][0], now) if oldest else None
        return Backlog(stream, length, length, 0, 0, None, unread, "0-0")
    last = group["last-delivered-id"].decode()
    first_unread: Any = redis.xrange(stream, min=f"({last}", count=1)
    pending: Any = redis.xpending(stream, group_name)
    return Backlog(
        stream=stream,
        length=length,
        lag=_lag(redis, stream, group["lag"], last),
        pending=pending["pending"],
        consumers=group["consumers"],
        oldest_pending_seconds=_age(pending["min"], now) if pending["pending"] else None,
        oldest_unread_seconds=_age(first_unread[0][0], now) if first_unread else None,
        last_delivered_id=last,
    )


def _lag(redis: Redis, stream: str, lag: int | None, last: str) -> int:
    """Redis does not know the lag after some deletions; then the entries are counted, up to 10,000."""
    return lag if lag is not None else len(redis.xrange(stream, min=f"({last}", count=_COUNTED) or ())


def _age(entry_id: bytes, now: int) -> float:
    return max(0, now - int(entry_id.partition(b"-")[0])) / 1000
