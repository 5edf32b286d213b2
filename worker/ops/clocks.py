"""Compare the clocks of this host, PostgreSQL and Redis.

No decision trusts a host's clock alone (docs/operations.md, "Clocks"); this shows operators that one is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import RedisError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from worker.database.engine import open_engine
from worker.database.server import clock
from worker.errors import first_line
from worker.logs import get_logger
from worker.settings import Settings
from worker.streams import connection as stream_connection
from worker.streams.connection import Redis

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds that PostgreSQL and Redis are ahead of this host; negative if they are behind."""

    postgresql_ahead_seconds: float
    redis_ahead_seconds: float

    @property
    def difference_seconds(self) -> float:
        """The largest difference between any two of the three clocks; never negative."""
        clocks = (0.0, self.postgresql_ahead_seconds, self.redis_ahead_seconds)
        return max(clocks) - min(clocks)

    def complaint(self, tolerance_seconds: float) -> str | None:
        """Return a sentence if they differ by more than the tolerance, else None."""
        if self.difference_seconds <= tolerance_seconds:
            return None
        return (
            f"The clocks differ by {self.difference_seconds:.1f} s: PostgreSQL is {self.postgresql_ahead_seconds:+.1f} "
            f"s and Redis {self.redis_ahead_seconds:+.1f} s from this host. Synchronize them (NTP)."
        )


def measure_clocks(connection: Connection, redis: Redis) -> Clocks:
    """Ask both servers for the time, exact to half a round trip. Raises their errors."""
    return Clocks(postgresql_ahead(connection), redis_ahead(redis))


def clocks_complaint(engine: Engine, redis: Redis, tolerance_seconds: float) -> str | None:
    """Return a sentence if the clocks differ by more than the tolerance, else None. Raises the servers' errors."""
    with engine.connect() as connection:
        return measure_clocks(connection, redis).complaint(tolerance_seconds)


def postgresql_ahead(connection: Connection) -> float:
    """Return how many seconds PostgreSQL's clock is ahead of this host's. Raises SQLAlchemyError."""
    return _ahead(lambda: clock(connection))


def redis_ahead(redis: Redis) -> float:
    """Return how many seconds Redis' clock is ahead of this host's. Raises RedisError."""
    return _ahead(lambda: stream_connection.clock(redis))


def warn(settings: Settings) -> None:
    """Log a warning if the clocks differ too much. Waits at most 2 s for each server."""
    impatient = settings.impatient()
    engine, redis = open_engine(impatient), stream_connection.connect(impatient)
    try:
        complaint = clocks_complaint(engine, redis, settings.clock_tolerance_seconds)
    except (SQLAlchemyError, RedisError) as error:
        log.warning("clocks_not_compared", detail=first_line(error))
    else:
        if complaint:
            log.warning("clocks_differ", warning=complaint)
    finally:
        redis.close()
        engine.dispose()


def _ahead(ask: Callable[[], datetime]) -> float:
    before = datetime.now(UTC)
    answer = ask()
    after = datetime.now(UTC)
    return (answer - before - (after - before) / 2).total_seconds()
