"""A mark that PostgreSQL refuses everything, and since when: it outlives a drain, and every consumer sees it."""

from datetime import datetime

from redis import OutOfMemoryError

from worker.streams.connection import Redis, read_text

LIFE_SECONDS = 60
"""Without another refusal; each is tried again every two seconds."""


def begin(redis: Redis, key: str, now: datetime) -> None:
    """Set the mark, unless it stands already, and have it live on. `now` is by PostgreSQL's clock."""
    try:
        if not redis.set(key, now.isoformat(), nx=True, ex=LIFE_SECONDS):
            redis.expire(key, LIFE_SECONDS)
    except OutOfMemoryError:
        return  # whoever is refused is tried again until there is room


def since(redis: Redis, key: str) -> datetime | None:
    """When the mark was set; None without one."""
    found = read_text(redis, key)
    return None if found is None else datetime.fromisoformat(found.decode())


def end(redis: Redis, key: str) -> None:
    """Take the mark away: PostgreSQL accepts, or what it refuses is judged."""
    redis.delete(key)
