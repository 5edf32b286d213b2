"""Totals that no table keeps: superseded events and dropped members, since counting began.

Best effort: they show publishers' habits, and a count is lost if a process dies or Redis is away at that moment.
"""

from contextlib import suppress

from redis import RedisError

from worker.contract.totals import Totals
from worker.streams.connection import Redis, answers
from worker.streams.keys import Keys


def add_totals(redis: Redis, keys: Keys, new: Totals) -> None:
    """Add to the totals; a Redis that is away or full is ignored."""
    with suppress(RedisError):
        if new.superseded:
            redis.hincrby(keys.totals, "superseded", new.superseded)
        if new.dropped_members:
            redis.hincrby(keys.totals, "dropped_members", new.dropped_members)


def read_totals(redis: Redis, keys: Keys) -> Totals:
    """Read the totals; zeros if the key has another type."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.hmget(keys.totals, "superseded", "dropped_members")
    (found,) = answers(pipeline)
    return Totals(*(int(value or 0) for value in found or ()))
