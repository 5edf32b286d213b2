"""Distinguish a poison entry, which kills the workers that process it, from one delivered often by bad luck.

Redis counts every delivery, including those of outages, so a count alone proves nothing. A quarantined entry is
processed alone while the consumer's name is in a set of the entry's; only a consumer that dies leaves its name there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import OutOfMemoryError, ResponseError

from worker.streams.connection import Redis, is_wrong_type

MAX_DEATHS = 3
"""More deaths than this during quarantine make an entry poison."""

_LIFE_SECONDS = 24 * 60 * 60


@contextmanager
def quarantine(redis: Redis, key: str, consumer: str) -> Iterator[bool]:
    """Mark `key` with the consumer while the block runs; yield whether the marks left behind prove poison.

    The mark is removed when the block ends, also by an error. A full Redis takes no mark; the entry is processed
    without one.
    """
    if not _mark(redis, key, consumer):
        yield False
        return
    is_poison = redis.scard(key) > MAX_DEATHS
    try:
        yield is_poison
    finally:
        if is_poison:
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
        redis.delete(key)  # a key of another type is of no use to anyone
        redis.sadd(key, consumer)
    redis.expire(key, _LIFE_SECONDS)
    return True
