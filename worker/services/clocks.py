"""Hold the clocks of this host, PostgreSQL and Redis against each other.

No decision trusts a host's clock alone (docs/operations.md, "Clocks"); this is how an operator learns that one is off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from worker.storage.status import clock
from worker.stream.connection import Redis


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
    return Clocks(_ahead(lambda: clock(connection)), _ahead(lambda: _redis_clock(redis)))


def _ahead(ask: Callable[[], datetime]) -> float:
    before = datetime.now(UTC)
    told = ask()
    after = datetime.now(UTC)
    return (told - before - (after - before) / 2).total_seconds()


def _redis_clock(redis: Redis) -> datetime:
    seconds, microseconds = redis.time()
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
