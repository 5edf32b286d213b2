"""Check Redis' configuration for dangers to unread events. Users may lack the right to call INFO."""

from typing import Any

from redis import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import NoPermissionError

from worker.logs import get_logger
from worker.settings import Settings
from worker.streams.connection import Redis, connect, describe

log = get_logger(__name__)

# Declared as a script that may write, so Redis refuses it whenever it would refuse an event. It writes nothing.
_MAY_WRITE = "#!lua\nreturn 1"


def check_configuration(redis: Redis) -> list[str]:
    """Return a warning for each setting that could lose published events; none if INFO is not permitted."""
    try:
        info: Any = redis.info()
    except NoPermissionError:
        return []
    warnings = []
    if not info.get("aof_enabled"):
        warnings.append("Redis keeps no append-only file: a restart loses unread events. Set `appendonly yes`.")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        warnings.append(
            f"When full, Redis evicts keys, including unread events (maxmemory-policy {policy}). "
            "Set `maxmemory-policy noeviction`: publishers then get an error and can wait."
        )
    return warnings


def check_writable(redis: Redis) -> str | None:
    """Return why Redis would refuse an event now; None if it would not, or if EVAL is not permitted."""
    try:
        redis.eval(_MAY_WRITE, 0)
    except NoPermissionError:
        return None
    except ReadOnlyError:
        return "Redis is a replica: set REDIS_URL to its primary."
    except OutOfMemoryError:
        return "Redis is full: raise its maxmemory, or let `progress-worker drain` empty it."
    except ResponseError as error:  # disk full, or too few replicas
        return f"Redis refuses events: {error}"
    return None


def version(redis: Redis) -> str:
    """Return the server's name and version, such as Valkey 9.1.2."""
    untyped: Any = redis
    try:
        answer = untyped.execute_command("HELLO")  # unlike INFO, permitted to every user
    except ResponseError:
        return "Redis of an unknown version"
    members = dict(zip(answer[::2], answer[1::2], strict=True))
    return f"{members[b'server'].decode().title()} {members[b'version'].decode()}"


def warn(settings: Settings) -> None:
    """Log each configuration warning. If Redis is unavailable, log that instead."""
    redis = connect(settings)
    try:
        for sentence in check_configuration(redis):
            log.warning("redis_configuration", warning=sentence)
    except RedisError as error:
        log.warning("redis_not_asked", detail=describe(error, settings))
    finally:
        redis.close()
