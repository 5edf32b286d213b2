"""Reads for a person who asks how the tables are: cheap also when the tables are large."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, select, text

from worker.database.models import Base

TABLES = tuple(Base.metadata.tables)
"""All of ours but the one that tells the migration."""

COUNTED_EXACTLY_BYTES = 64 * 1024 * 1024
"""Tables up to this size are counted (some tens of milliseconds); of larger ones PostgreSQL's estimate is taken."""

NEWEST_PAGES = 256
"""So many pages at the end of the ledger are looked through: more than concurrent writers extend it by at once."""

_HAS_VERSION_TABLE = text("SELECT to_regclass('progress_alembic_version') IS NOT NULL")

_REVISION = text("SELECT max(version_num) FROM progress_alembic_version")

# The planner's own arithmetic: the density when last analyzed, times the pages there are now.
_SIZES = text("""
    SELECT name, pg_relation_size(oid) AS bytes, pg_total_relation_size(oid) AS total_bytes,
           CASE WHEN reltuples < 0 THEN pg_stat_get_live_tuples(oid)
                WHEN relpages = 0 THEN reltuples
                ELSE reltuples / relpages * (pg_relation_size(oid) / current_setting('block_size')::int)
           END::bigint AS estimate
    FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS wanted (name, number)
    JOIN pg_class ON oid = CAST(name AS regclass) ORDER BY number
""")

_LAST_PAGE = text("SELECT pg_relation_size('lesson_event') / current_setting('block_size')::int")

_NEWEST = text("SELECT max(recorded_at) FROM lesson_event WHERE ctid >= CAST(:first AS tid)")

_LETTER_IDS = text("""
    SELECT id FROM dead_letter
    WHERE id > :after AND (CAST(:reason AS text) IS NULL OR reason = :reason) ORDER BY id LIMIT :limit
""")

_REASONS = text("""
    SELECT reason, count(*) AS letters FROM dead_letter WHERE id = ANY(CAST(:ids AS bigint[])) GROUP BY 1 ORDER BY 1
""")

_LAST_LETTER = text("SELECT max(id) FROM dead_letter")


@dataclass(frozen=True, slots=True)
class RowCount:
    """How many rows a table has, `exact` or PostgreSQL's estimate, and its size on disk."""

    rows: int
    exact: bool
    bytes: int
    """With its indexes and what is stored out of line."""


def revision(connection: Connection) -> str | None:
    """The migration that the database is at; None without our tables."""
    if not connection.scalar(_HAS_VERSION_TABLE):
        return None
    found = connection.scalar(_REVISION)
    return None if found is None else str(found)


def server_version(connection: Connection) -> str:
    """PostgreSQL's version, such as 18.1."""
    return str(connection.scalar(text("SHOW server_version")))


def clock(connection: Connection) -> datetime:
    """The time by PostgreSQL's clock, now, not when the transaction began."""
    now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now


def read_clock(engine: Engine) -> datetime:
    """The same, outside any transaction."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return clock(connection)


def count_rows(connection: Connection, names: Iterable[str] = TABLES) -> dict[str, RowCount]:
    """The rows and the size of these tables of ours, by default of all; exact while a table is small."""
    sizes = {row.name: row for row in connection.execute(_SIZES, {"names": list(names)})}
    small = [name for name, size in sizes.items() if size.bytes <= COUNTED_EXACTLY_BYTES]
    counts = [select(func.count()).select_from(Base.metadata.tables[name]).scalar_subquery() for name in small]
    counted = dict(zip(small, connection.execute(select(*counts)).one(), strict=True)) if small else {}
    return {
        name: RowCount(counted.get(name, max(0, size.estimate)), name in counted, size.total_bytes)
        for name, size in sizes.items()
    }


def last_recorded_at(connection: Connection) -> datetime | None:
    """When the newest ledger row was recorded (its transaction began); None for an empty ledger.

    No index answers this cheaply: a BRIN index knows no maximum, and a B-tree on an ever-rising time would tax every
    insert. But the ledger grows at its end, so the newest row stands in its last pages, read here by their numbers.
    Only where deletions (retention, a removed enrollment) left room further up may newer rows stand there, and the
    answer be too old until the ledger grows again.
    """
    pages = int(connection.scalar(_LAST_PAGE) or 0)
    newest: datetime | None = connection.scalar(_NEWEST, {"first": f"({max(0, pages - NEWEST_PAGES)},0)"})
    return newest


def letter_ids(connection: Connection, reason: str | None, after: int, limit: int) -> list[int]:
    """Ids above `after` of up to `limit` dead letters, in order, of one reason or of all."""
    return list(connection.scalars(_LETTER_IDS, {"reason": reason, "after": after, "limit": limit}))


def last_letter_id(connection: Connection) -> int:
    """The id of the newest dead letter; 0 without any."""
    return int(connection.scalar(_LAST_LETTER) or 0)


def count_reasons(connection: Connection, ids: Sequence[int]) -> dict[str, int]:
    """Of these dead letters those that are there, by reason."""
    return {row.reason: row.dead_letters for row in connection.execute(_REASONS, {"ids": list(ids)})}
