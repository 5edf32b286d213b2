"""Connections to Redis, with explicit timeouts and retries."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker import connection_errors
from worker.errors import ServerUnavailableError, first_line
from worker.settings import Settings

Redis = redis.Redis
AsyncRedis = redis.asyncio.Redis


def connect(settings: Settings, *, retries: int = 0) -> Redis:
    """Return a client of the Redis that holds the streams; it connects on first use.

    No retries by default, because a consumer that lost its connection must first record its own pending entries. The
    socket times out `socket_timeout_seconds` after the longest blocking read.
    """
    client = redis.Redis.from_url(**_options(settings), retry=Retry(NoBackoff(), retries))
    # Entries stay as Redis sends them: redis-py would make a dictionary of each, at a microsecond per event.
    for command in ("XREADGROUP", "XAUTOCLAIM", "XCLAIM"):
        client.set_response_callback(command, _unchanged)
    return client


def connect_async(settings: Settings, *, retries: int = 0) -> AsyncRedis:
    """Return a client like `connect` for programs with an event loop."""
    client: AsyncRedis = redis.asyncio.Redis.from_url(**_options(settings), retry=AsyncRetry(NoBackoff(), retries))
    return client


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "url": str(settings.with_servers("REDIS_URL").redis_url),
        "protocol": 2,
        "socket_connect_timeout": settings.connect_timeout_seconds,
        "socket_timeout": settings.block_seconds + settings.socket_timeout_seconds,
        "socket_keepalive": True,
    }


def _unchanged(answer: object, **_: object) -> object:
    return answer


def is_wrong_type(error: object) -> bool:
    """Return whether Redis refused a command because the key has another type."""
    return isinstance(error, redis.ResponseError) and str(error).startswith("WRONGTYPE")


def answers(pipeline: Any, *, ignored: tuple[type[Exception], ...] = ()) -> list[Any]:
    """Run the pipeline and return each answer, None for keys of another type and for `ignored` errors.

    Raises the first other error.
    """
    found = pipeline.execute(raise_on_error=False)
    for each in found:
        if isinstance(each, Exception) and not is_wrong_type(each) and not isinstance(each, ignored):
            raise each
    return [None if isinstance(each, Exception) else each for each in found]


def read_text(redis: Redis, key: str) -> bytes | None:
    """Return the text at the key, None without one or for a key of another type, which GET would refuse."""
    found: Any = redis.mget([key])
    return None if found[0] is None else bytes(found[0])


def clock(redis: Redis) -> datetime:
    """Return the time by Redis's clock, in milliseconds as in entry ids."""
    seconds, microseconds = redis.time()
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds // 1_000 * 1_000)


def describe(error: redis.RedisError, settings: Settings, variable: str = "REDIS_URL") -> str:
    """Return an error's reason in one line for people: a sentence if Redis refused the connection or did not answer.

    `variable` is the one that the URL is from.
    """
    message, url = first_line(error), settings.redis_url or ""
    is_away = isinstance(error, redis.ConnectionError | redis.TimeoutError)
    if is_away or connection_errors.redis_refusal(message, url, variable):
        return connection_errors.redis_problem(message, url, variable)
    return f"Redis refuses: {message}"


def is_refused(error: redis.RedisError, settings: Settings) -> bool:
    """Return whether Redis will not let us in until an operator acts."""
    return connection_errors.redis_refusal(str(error), settings.redis_url or "", "REDIS_URL") is not None


@contextmanager
def explained(settings: Settings, variable: str = "REDIS_URL") -> Iterator[None]:
    """Raise ServerUnavailableError, with a sentence for the operator, for any error of Redis."""
    try:
        yield
    except redis.RedisError as error:
        raise ServerUnavailableError(describe(error, settings, variable)) from error
