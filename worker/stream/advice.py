"""What in Redis' configuration endangers events, as sentences. Asked with INFO, which managed servers allow too."""

from typing import Any

from redis import RedisError

from worker.settings import Settings
from worker.stream.connection import Redis, connect
from worker.telemetry import get_logger

log = get_logger(__name__)


def advise(redis: Redis) -> list[str]:
    """Each setting that could lose published events, and what to set instead; nothing when all is well."""
    info: Any = redis.info()
    advice = []
    if not info.get("aof_enabled"):
        advice.append("Redis keeps no append-only file: unread events are gone when it restarts. Set `appendonly yes`.")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        advice.append(
            f"Redis evicts keys when it is full (maxmemory-policy {policy}), unread events among them. "
            "Set `maxmemory-policy noeviction`: publishers then get an error and can wait."
        )
    return advice


def refuses_events(redis: Redis) -> str | None:
    """Why an event could not be appended now, though Redis answers; None where it could."""
    info: Any = redis.info()
    if info.get("role") != "master":
        return "Redis is a replica: set REDIS_URL to its primary."
    most = info.get("maxmemory", 0)
    if most and info["used_memory"] >= most and info.get("maxmemory_policy") == "noeviction":
        return "Redis is full: raise its maxmemory, or let `progress-worker drain` empty it."
    return None


def warn(settings: Settings) -> None:
    """Log each piece of advice. A Redis that is away has none to give, and nobody waits for it."""
    redis = connect(settings)
    try:
        for sentence in advise(redis):
            log.warning("redis_configuration", advice=sentence)
    except RedisError as error:
        log.warning("redis_not_asked", detail=str(error))
    finally:
        redis.close()
