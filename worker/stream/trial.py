"""Tell an entry that kills workers from one that merely met bad luck.

Redis counts every delivery, those of outages included, so a count alone condemns nothing. A suspect is processed alone
between making a mark and removing it; only a process that died in between leaves its mark behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import OutOfMemoryError

from worker.stream.connection import Redis

MARKS_LEFT_BEHIND = 3
"""So many deaths in the middle of a trial condemn an entry."""

_LIFE_SECONDS = 24 * 60 * 60


@contextmanager
def trial(redis: Redis, key: str) -> Iterator[bool]:
    """Mark the trial under `key` while the block runs; yields whether the entry stands condemned by earlier marks.

    Any return removes the mark, errors included. A full Redis takes no mark; the entry is then tried without one.
    """
    try:
        marks = redis.incr(key)
        redis.expire(key, _LIFE_SECONDS)
    except OutOfMemoryError:
        yield False
        return
    condemned = marks > MARKS_LEFT_BEHIND
    try:
        yield condemned
    finally:
        if condemned or marks == 1:
            redis.delete(key)
        else:
            redis.decr(key)
