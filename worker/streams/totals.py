"""What no table keeps: how many events were superseded, and how many of their members dropped, since they are counted.

Best effort: they tell of publishers' habits, and a count is lost where a process or Redis is away at that moment.
"""

from contextlib import suppress

from redis import RedisError

from worker.contract.totals import Totals
from worker.streams.connection import Redis, answers
from worker.streams.keys import Keys


def add_totals(redis: Redis, keys: Keys, new: Totals) -> None:
    """Add to both, where there is something to add. Asks nothing of a Redis that is away or full."""
    with suppress(RedisError):
        if new.superseded:
            redis.hincrby(keys.totals, "superseded", new.superseded)
        if new.dropped_members:
            redis.hincrby(keys.totals, "dropped_members", new.dropped_members)


def read_totals(redis: Redis, keys: Keys) -> Totals:
    """Both since they are counted; nothing where the key has another type."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.hmget(keys.totals, "superseded", "dropped_members")
    (found,) = answers(pipeline)
    return Totals(*(int(value or 0) for value in found or ()))
