"""What endangers events in Redis, as sentences. A user may lack the right to ask what it says of itself (INFO)."""

from typing import Any

from redis import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import NoPermissionError

from worker.logs import get_logger
from worker.settings import Settings
from worker.streams.connection import Redis, connect

log = get_logger(__name__)

# Redis refuses a script that may write, as this one, wherever it would refuse an event; but it writes nothing.
_MAY_WRITE = "#!lua\nreturn 1"


def advise(redis: Redis) -> list[str]:
    """Each setting that could lose published events, and what to set instead; nothing when all is well, or not told."""
    try:
        info: Any = redis.info()
    except NoPermissionError:
        return []
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
    """Why an event could not be appended now, though Redis answers; None where it could, or nobody may ask."""
    try:
        redis.eval(_MAY_WRITE, 0)
    except NoPermissionError:
        return None
    except ReadOnlyError:
        return "Redis is a replica: set REDIS_URL to its primary."
    except OutOfMemoryError:
        return "Redis is full: raise its maxmemory, or let `progress-worker drain` empty it."
    except ResponseError as error:  # its disk is full, its replicas are away
        return f"Redis takes no events: {error}"
    return None


def version(redis: Redis) -> str:
    """The server's name and version, such as Valkey 9.1.2."""
    asked: Any = redis
    try:
        answer = asked.execute_command("HELLO")  # INFO is not for everybody
    except ResponseError:
        return "Redis of an unknown version"
    told = dict(zip(answer[::2], answer[1::2], strict=True))
    return f"{told[b'server'].decode().title()} {told[b'version'].decode()}"


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
