"""The status of streams, tables, rollups and servers. Read-only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.contract.system_id import System
from worker.contract.totals import Totals
from worker.database import rollup_lag, schema, server
from worker.database.engine import snapshot
from worker.database.rollup_lag import FailedRefreshes
from worker.database.system_table import Repairs, identify, read_repairs, was_refused
from worker.database.table_sizes import RowCount, count_rows
from worker.errors import OtherSystemError
from worker.failover.ownership import refuse_others
from worker.identity.map_counts import count_names
from worker.ops.clocks import Clocks, measure_clocks
from worker.ops.degradation import find_degradation
from worker.ops.misrouted_tasks import find_misrouted_tasks
from worker.ops.redis_configuration import check_configuration, version
from worker.progress.doubtful_events import Doubtful, read_doubtful
from worker.progress.ledger_lookups import last_recorded_at
from worker.progress.stored_dead_letters import count_dead_letters
from worker.settings import Settings
from worker.streams.accounting import Account, read_accounts
from worker.streams.backlog import Backlog, measure
from worker.streams.connection import Redis
from worker.streams.keys import Keys
from worker.streams.stray_streams import with_strays
from worker.streams.totals import read_totals


@dataclass(frozen=True, slots=True)
class Rollup:
    """How fresh a rollup is, except for failed refreshes, by PostgreSQL's clock."""

    as_of: datetime
    """Everything recorded before this instant is included; the time of reading if the rollup is current."""
    behind_seconds: float
    """Age of the oldest change that is not included; 0.0 if it is current."""


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot of PostgreSQL, and of Redis just before it."""

    streams: list[Backlog]
    accounts: dict[str, Account]
    """By stream."""
    stray_streams: tuple[str, ...]
    """The streams beyond the configured partitions."""
    dead_letters: dict[str, int]
    rows: dict[str, RowCount]
    names: dict[str, int]
    """Names in the map by kind; see `count_names`."""
    rollups: dict[str, Rollup]
    failed: dict[str, FailedRefreshes]
    """By rollup, only those with any."""
    last_recorded_at: datetime | None
    asked_at: datetime
    """By PostgreSQL's clock."""
    clocks: Clocks
    postgresql_version: str
    redis_version: str
    degradation: dict[str, str]
    """See `find_degradation`; included in the warnings."""
    warnings: list[str]
    system: System
    repairs: Repairs
    totals: Totals
    doubtful: Doubtful

    @property
    def lag(self) -> int:
        """Entries not yet delivered to a consumer."""
        return sum(each.lag for each in self.streams)

    @property
    def pending(self) -> int:
        """Entries delivered to a consumer and not yet acknowledged."""
        return sum(each.pending for each in self.streams)


def read_status(settings: Settings, redis: Redis, engine: Engine) -> Status:
    """Ask both servers. Raises SchemaError if our tables are missing, and the servers' errors."""
    keys, strays = with_strays(redis, Keys.of(settings))
    streams = measure(redis, keys.group, keys.streams)
    accounts = read_accounts(redis, [each.stream for each in streams])
    misrouted = find_misrouted_tasks(settings)
    with snapshot(engine) as connection:
        schema.check(connection)
        system = identify(connection)
        clocks = measure_clocks(connection, redis)
        complaint = clocks.complaint(settings.clock_tolerance_seconds)
        degradation = find_degradation(connection, strays)
        rows = count_rows(connection)
        return Status(
            streams=streams,
            accounts=accounts,
            stray_streams=strays.streams,
            dead_letters=count_dead_letters(connection),
            rows=rows,
            names=count_names(connection, rows["external_id"].rows),
            rollups=_rollups(connection),
            failed=rollup_lag.failed_refreshes(connection),
            last_recorded_at=last_recorded_at(connection),
            asked_at=server.clock(connection),
            clocks=clocks,
            postgresql_version=server.server_version(connection),
            redis_version=version(redis),
            degradation=degradation,
            warnings=[
                *check_configuration(redis),
                *misrouted,
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
        f"{account.vanished:,} entries of {stream} vanished before they were acknowledged. Find what deletes them "
        "(MAXLEN, XTRIM, XDEL), and publish the lost events again."
        for stream, account in accounts.items()
        if account.vanished
    ]


def _foreign_streams(redis: Redis, keys: Keys, system: System, *, was_refused: bool) -> list[str]:
    try:
        refuse_others(redis, keys, system, was_refused=was_refused)
    except OtherSystemError as error:
        return [str(error)]
    return []


def _rollups(connection: Connection) -> dict[str, Rollup]:
    now = server.clock(connection)
    complete_up_to = {name: min(at or now, now) for name, at in rollup_lag.oldest_changes(connection).items()}
    return {name: Rollup(at, (now - at).total_seconds()) for name, at in complete_up_to.items()}
