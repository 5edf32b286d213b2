"""Hold the clocks of this host, PostgreSQL and Redis against each other.

No decision trusts a host's clock alone (docs/operations.md, "Clocks"); this is how an operator learns that one is off.
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
    """How many seconds PostgreSQL and Redis are ahead of this host; negative where they are behind."""

    postgresql_ahead_seconds: float
    redis_ahead_seconds: float

    @property
    def difference_seconds(self) -> float:
        """Between the two of the three clocks that are furthest apart; never negative."""
        known = (0.0, self.postgresql_ahead_seconds, self.redis_ahead_seconds)
        return max(known) - min(known)

    def complaint(self, tolerance_seconds: float) -> str | None:
        """A sentence if they differ by more than that, else None."""
        if self.difference_seconds <= tolerance_seconds:
            return None
        return (
            f"The clocks differ by {self.difference_seconds:.1f} s: PostgreSQL is {self.postgresql_ahead_seconds:+.1f} "
            f"s and Redis {self.redis_ahead_seconds:+.1f} s from this host. Synchronize them (NTP)."
        )


def measure_clocks(connection: Connection, redis: Redis) -> Clocks:
    """Ask both servers for the time; exact to half a round trip. Raises their errors."""
    return Clocks(postgresql_ahead(connection), redis_ahead(redis))


def clocks_complaint(engine: Engine, redis: Redis, tolerance_seconds: float) -> str | None:
    """A sentence if the clocks differ by more than that, else None. Raises PostgreSQL's and Redis' errors."""
    with engine.connect() as connection:
        return measure_clocks(connection, redis).complaint(tolerance_seconds)


def postgresql_ahead(connection: Connection) -> float:
    """Seconds that PostgreSQL's clock is ahead of this host's, to half a round trip. Raises SQLAlchemy's errors."""
    return _ahead(lambda: clock(connection))


def redis_ahead(redis: Redis) -> float:
    """The same of Redis' clock. Raises redis.RedisError."""
    return _ahead(lambda: stream_connection.clock(redis))


def warn(settings: Settings) -> None:
    """Log a warning if the clocks differ too much. Servers that are away are not waited for longer than 2 s each."""
    impatient = settings.impatient()
    engine, redis = open_engine(impatient), stream_connection.connect(impatient)
    try:
        with engine.connect() as connection:
            complaint = measure_clocks(connection, redis).complaint(settings.clock_tolerance_seconds)
    except (SQLAlchemyError, RedisError) as error:
        log.warning("clocks_not_compared", detail=first_line(error))
    else:
        if complaint:
            log.warning("clocks_differ", advice=complaint)
    finally:
        redis.close()
        engine.dispose()


def _ahead(ask: Callable[[], datetime]) -> float:
    before = datetime.now(UTC)
    told = ask()
    after = datetime.now(UTC)
    return (told - before - (after - before) / 2).total_seconds()
