"""Measure the backlog of the streams: for `status`, the end of `drain`, and streams that their lease holder neglects.

Redis's lag is only a hint: after an XDEL, Redis 7.0 may report 2 for ever where nothing is left, and XGROUP SETID and
XSETID set it at will. So whether an entry is unread is looked up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis import ResponseError

from worker.streams.connection import Redis, is_wrong_type

_MAX_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """One stream as seen by the group. Ages are in seconds by Redis's clock; None without such an entry."""

    stream: str
    length: int
    lag: int
    pending: int
    consumers: int
    oldest_pending_seconds: float | None
    oldest_unread_seconds: float | None
    last_delivered_id: str


def measure(redis: Redis, group: str, streams: Iterable[str]) -> list[Backlog]:
    """Measure every stream that exists; one without any publisher or reader so far does not."""
    seconds, microseconds = redis.time()
    now = seconds * 1000 + microseconds // 1000
    return [backlog for stream in streams if (backlog := _measure(redis, group, stream, now)) is not None]


def is_empty(backlogs: Iterable[Backlog]) -> bool:
    """Return whether nothing is unread and nothing pending."""
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


def _lag(redis: Redis, stream: str, length: int, reported: int | None, last: str) -> int:
    """Return the lag that Redis reports if it is possible, else count up to 10,000. An entry must be unread."""
    if reported is not None and 0 < reported <= length:
        return reported
    return len(redis.xrange(stream, min=f"({last}", count=_MAX_COUNTED) or ())


def _age(entry_id: bytes, now: int) -> float:
    return max(0, now - int(entry_id.partition(b"-")[0])) / 1000
