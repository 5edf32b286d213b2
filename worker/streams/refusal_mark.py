"""The mark that PostgreSQL refuses everything, and since when: shared by all consumers, across drains."""

from datetime import datetime

from redis import OutOfMemoryError

from worker.streams.connection import Redis, read_text

LIFE_SECONDS = 60
"""Life without another refusal; refused entries are tried again every two seconds."""


def begin(redis: Redis, key: str, now: datetime) -> None:
    """Set the mark, or prolong it if it is set. `now` is by PostgreSQL's clock."""
    try:
        if not redis.set(key, now.isoformat(), nx=True, ex=LIFE_SECONDS):
            redis.expire(key, LIFE_SECONDS)
    except OutOfMemoryError:
        return  # refused entries are tried again until there is room


def since(redis: Redis, key: str) -> datetime | None:
    """Return when the mark was set; None without one."""
    found = read_text(redis, key)
    return None if found is None else datetime.fromisoformat(found.decode())


def end(redis: Redis, key: str) -> None:
    """Remove the mark: PostgreSQL accepts again, or the refusals were judged."""
    redis.delete(key)
