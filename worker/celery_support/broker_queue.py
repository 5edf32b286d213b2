"""What stands beside Celery's queues on its broker: whose a queue is, and which scheduled tasks wait in it.

| key                           | type   | what                                                  | life           |
|-------------------------------|--------|-------------------------------------------------------|----------------|
| `progress:system`             | string | stream key of the system whose queue is `progress`    | for ever       |
| `lesson-events:queued:{task}` | string | milliseconds that a message of the task is waited for | that and a day |
"""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from redis import ResponseError

from worker.streams.connection import Redis

FEW = 10
"""A queue with fewer messages has no old ones of every task."""
DAY = 86_400_000
GROWTH = 10
"""So many times longer the next message is waited for when one was not taken in time."""

# The key outlives its own wait by a day, so that the wait after it can be longer. What waits longer than it can is
# nobody's: Redis' clock was set back.
_MAY_SEND = """
local first, growth, day = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local known = redis.pcall('GET', KEYS[1])
local wait = type(known) == 'string' and tonumber(known) -- a key of another type says nothing
local left = redis.call('PTTL', KEYS[1]) - day
if wait and left > 0 and left <= wait then return 0 end
local next = (wait and left <= 0) and math.min(wait * growth, day) or first
redis.call('SET', KEYS[1], next, 'PX', next + day)
return 1
"""


def mark(stream_key: str, task: str) -> str:
    """The key that says that a message of the task waits."""
    return f"{stream_key}:queued:{task}"


def may_send(redis: Redis, key: str, milliseconds: int) -> bool:
    """Whether a message of the marked task may be sent now; sets the mark if so. Time is Redis' alone.

    The first keeps others out for `milliseconds`, each one that nobody took for ten times as long, up to a day.
    """
    return bool(redis.register_script(_MAY_SEND)(keys=[key], args=[milliseconds, GROWTH, DAY]))


def forget(redis: Redis, keys: Iterable[str]) -> None:
    """Let the next message of each of these tasks be sent. Harmless when repeated."""
    if keys := list(keys):
        redis.delete(*keys)


def is_short(redis: Redis, name: str) -> bool:
    """So few messages wait that one may be sent of each task, in case the last was lost with a worker."""
    length: Any = redis.llen(name)
    return int(length) < FEW


def set_aside(redis: Redis, name: str) -> str | None:
    """Rename a key that is in the queue's place and no list, for nothing could be sent or taken; its new name."""
    if redis.type(name) in (b"list", b"none"):
        return None
    aside = f"{name}:set-aside-{uuid4().hex[:8]}"
    try:
        redis.rename(name, aside)
    except ResponseError:
        return None  # another worker has done it
    return aside


def claim(redis: Redis, name: str, stream_key: str) -> str:
    """Whose the queue is, by stream key: ours from now on if it was nobody's. A Redis that is full does not keep it."""
    try:
        owner: Any = redis.set(f"{name}:system", stream_key, nx=True, get=True)
    except ResponseError:
        return stream_key
    return stream_key if owner is None else str(owner, errors="replace")
