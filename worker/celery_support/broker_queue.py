"""Our keys next to Celery's queues on its broker: a queue's owner, and marks of waiting scheduled tasks.

| key                           | type   | value                                                 | kept           |
|-------------------------------|--------|-------------------------------------------------------|----------------|
| `progress:system`             | string | stream key of the system that owns queue `progress`   | for ever       |
| `lesson-events:queued:{task}` | string | milliseconds before the next message may be sent      | that and a day |
"""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from kombu.exceptions import OperationalError
from redis import RedisError, ResponseError

from worker.streams.connection import Redis

BROKER_AWAY = (OperationalError, RedisError, OSError)
"""Raised where the broker is away or refuses."""
SHORT_QUEUE_LENGTH = 10
"""A shorter queue cannot hold old messages of every task."""
DAY_MILLISECONDS = 86_400_000
WAIT_GROWTH = 10
"""Factor by which the wait grows each time that a message was not taken in time."""

# The key outlives its wait by a day, so that the next wait can be longer. A wait longer than its own value means that
# Redis's clock was set back, and is ignored.
_MAY_SEND = """
local first, growth, day = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local known = redis.pcall('GET', KEYS[1])
local wait = type(known) == 'string' and tonumber(known) -- not if the key has another type
local left = redis.call('PTTL', KEYS[1]) - day
if wait and left > 0 and left <= wait then return 0 end
local next = (wait and left <= 0) and math.min(wait * growth, day) or first
redis.call('SET', KEYS[1], next, 'PX', next + day)
return 1
"""


def mark(stream_key: str, task: str) -> str:
    """Return the key that marks a task whose message waits in the queue."""
    return f"{stream_key}:queued:{task}"


def may_send(redis: Redis, key: str, milliseconds: int) -> bool:
    """Return whether a message of the marked task may be sent now, and set the mark if so. Uses only Redis's clock.

    The first mark lasts `milliseconds`, each next one without a taken message ten times as long, up to a day.
    """
    return bool(redis.register_script(_MAY_SEND)(keys=[key], args=[milliseconds, WAIT_GROWTH, DAY_MILLISECONDS]))


def forget(redis: Redis, keys: Iterable[str]) -> None:
    """Let the next message of each marked task be sent. Idempotent."""
    if keys := list(keys):
        redis.delete(*keys)


def is_short(redis: Redis, name: str) -> bool:
    """Return whether the queue is short enough to send one message of each task, in case the last one was lost."""
    length: Any = redis.llen(name)
    return int(length) < SHORT_QUEUE_LENGTH


def set_aside(redis: Redis, name: str) -> str | None:
    """Rename a key of another type that blocks the queue's name; return its new name."""
    if redis.type(name) in (b"list", b"none"):
        return None
    aside = f"{name}:set-aside-{uuid4().hex[:8]}"
    try:
        redis.rename(name, aside)
    except ResponseError:
        return None  # another worker has done it
    return aside


def claim(redis: Redis, name: str, stream_key: str) -> str:
    """Claim the queue if it has no owner, and return its owner's stream key. A full Redis does not keep the claim."""
    try:
        owner: Any = redis.set(f"{name}:system", stream_key, nx=True, get=True)
    except ResponseError:
        return stream_key
    return stream_key if owner is None else str(owner, errors="replace")
