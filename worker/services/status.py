"""How the system is: the streams, the tables, the rollups, the servers. Reads only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.domain.system import System
from worker.errors import OtherSystemError
from worker.services.clocks import Clocks, measure_clocks
from worker.services.degradation import find_degradation
from worker.services.system import refuse_others
from worker.settings import Settings
from worker.storage import dead_letter, rollup, schema, status
from worker.storage.database import snapshot
from worker.storage.doubt import Doubtful, read_doubtful
from worker.storage.rollup import Failed
from worker.storage.status import RowCount
from worker.storage.system import Repairs, identify, read_repairs, was_refused
from worker.stream.accounts import Account, read_accounts
from worker.stream.advice import advise, version
from worker.stream.backlog import Backlog, measure
from worker.stream.connection import Redis
from worker.stream.keys import Keys
from worker.stream.strays import with_strays
from worker.stream.totals import Totals, read_totals


@dataclass(frozen=True, slots=True)
class Rollup:
    """How far a rollup is behind, but for what failed: the oldest change that it does not show, or None and 0.0."""

    as_of: datetime | None
    behind_seconds: float
    """Age of that change by PostgreSQL's clock."""


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of PostgreSQL, and one just before it of Redis."""

    streams: list[Backlog]
    accounts: dict[str, Account]
    """Of each of these streams."""
    stray_streams: tuple[str, ...]
    """Those of them that are beyond the partitions."""
    dead_letters: dict[str, int]
    rows: dict[str, RowCount]
    rollups: dict[str, Rollup]
    failed: dict[str, Failed]
    """By rollup, where any did."""
    last_recorded_at: datetime | None
    asked_at: datetime
    """By PostgreSQL's clock."""
    clocks: Clocks
    postgresql_version: str
    redis_version: str
    degradation: dict[str, str]
    """See `find_degradation`; also among the warnings."""
    warnings: list[str]
    system: System
    repairs: Repairs
    totals: Totals
    doubtful: Doubtful

    @property
    def lag(self) -> int:
        """Entries that no consumer was given yet."""
        return sum(each.lag for each in self.streams)

    @property
    def pending(self) -> int:
        """Entries given to a consumer and not acknowledged yet."""
        return sum(each.pending for each in self.streams)


def read_status(settings: Settings, redis: Redis, engine: Engine) -> Status:
    """Ask both servers. Raises SchemaError without our tables, and the servers' own errors."""
    keys, strays = with_strays(redis, Keys(settings.stream_key, settings.stream_partitions))
    streams = measure(redis, keys.group, keys.streams)
    accounts = read_accounts(redis, [each.stream for each in streams])
    with snapshot(engine) as connection:
        letters, system = _letters(connection), identify(connection)
        clocks = measure_clocks(connection, redis)
        complaint = clocks.complaint(settings.clock_tolerance_seconds)
        degradation = find_degradation(connection, strays)
        return Status(
            streams=streams,
            accounts=accounts,
            stray_streams=strays.streams,
            dead_letters=letters,
            rows=status.count_rows(connection),
            rollups=_rollups(connection),
            failed=rollup.failures(connection),
            last_recorded_at=status.last_recorded_at(connection),
            asked_at=status.clock(connection),
            clocks=clocks,
            postgresql_version=status.server_version(connection),
            redis_version=version(redis),
            degradation=degradation,
            warnings=[
                *advise(redis),
                *_foreign_streams(redis, keys, system, was_refused=was_refused(connection)),
                *strays.warnings,
                *degradation.values(),
                *_vanished(accounts),
                *([complaint] if complaint else []),
            ],
            system=system,
            repairs=read_repairs(connection),
            totals=read_totals(redis, keys),
            doubtful=read_doubtful(connection),
        )


def _vanished(accounts: Mapping[str, Account]) -> list[str]:
    return [
        f"{account.vanished:,} entries of {stream} vanished before anyone had acknowledged them. Find who deletes "
        "there (MAXLEN, XTRIM, XDEL), and publish again what was lost."
        for stream, account in accounts.items()
        if account.vanished
    ]


def _foreign_streams(redis: Redis, keys: Keys, system: System, *, was_refused: bool) -> list[str]:
    try:
        refuse_others(redis, keys, system, was_refused=was_refused)
    except OtherSystemError as error:
        return [str(error)]
    return []


def _letters(connection: Connection) -> dict[str, int]:
    schema.check(connection)
    return dead_letter.count_letters(connection)


def _rollups(connection: Connection) -> dict[str, Rollup]:
    oldest = rollup.oldest_changes(connection)
    now = status.clock(connection)
    return {
        name: Rollup(at, max(0.0, (now - at).total_seconds()) if at is not None else 0.0) for name, at in oldest.items()
    }
