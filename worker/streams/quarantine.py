"""Tell an entry that kills workers from one that merely met bad luck.

Redis counts every delivery, those of outages included, so a count alone condemns nothing. A suspect is processed alone
while the consumer's name stands in a set of the entry's; only a consumer that died in between leaves its name behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import OutOfMemoryError, ResponseError

from worker.streams.connection import Redis, is_wrong_type

MARKS_LEFT_BEHIND = 3
"""So many deaths in the middle of a trial condemn an entry."""

_LIFE_SECONDS = 24 * 60 * 60


@contextmanager
def trial(redis: Redis, key: str, consumer: str) -> Iterator[bool]:
    """Mark the trial under `key` while the block runs; yields whether the entry stands condemned by others' marks.

    Any return removes the mark, errors included. A full Redis takes no mark; the entry is then tried without one.
    """
    if not _mark(redis, key, consumer):
        yield False
        return
    condemned = redis.scard(key) > MARKS_LEFT_BEHIND
    try:
        yield condemned
    finally:
        if condemned:
            redis.delete(key)
        else:
            redis.srem(key, consumer)


def _mark(redis: Redis, key: str, consumer: str) -> bool:
    try:
        redis.sadd(key, consumer)
    except OutOfMemoryError:
        return False
    except ResponseError as error:
        if not is_wrong_type(error):
            raise
        redis.delete(key)  # somebody made it with another type; it is of no use to anyone
        redis.sadd(key, consumer)
    redis.expire(key, _LIFE_SECONDS)
    return True
