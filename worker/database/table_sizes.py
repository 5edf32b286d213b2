"""Row counts and sizes of our tables, cheap also for large ones."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from worker.database.models import Base

TABLES = tuple(Base.metadata.tables)
"""All but Alembic's version table."""

COUNTED_EXACTLY_BYTES = 64 * 1024 * 1024
"""Tables up to this size are counted (tens of milliseconds), larger ones estimated."""

# As the planner estimates: rows per page when last analyzed, times the current pages.
_SIZES = text("""
    SELECT name, pg_relation_size(oid) AS bytes, pg_total_relation_size(oid) AS total_bytes,
           CASE WHEN reltuples < 0 THEN pg_stat_get_live_tuples(oid)
                WHEN relpages = 0 THEN reltuples
                ELSE reltuples / relpages * (pg_relation_size(oid) / current_setting('block_size')::int)
           END::bigint AS estimate
    FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS wanted (name, number)
    JOIN pg_class ON oid = CAST(name AS regclass) ORDER BY number
""")


@dataclass(frozen=True, slots=True)
class RowCount:
    """A table's number of rows, exact or estimated, and its size on disk."""

    rows: int
    exact: bool
    bytes: int
    """Including indexes and TOAST."""


def count_rows(connection: Connection, names: Iterable[str] = TABLES) -> dict[str, RowCount]:
    """Return rows and size of these tables of ours, by default all of them."""
    sizes = {row.name: row for row in connection.execute(_SIZES, {"names": list(names)})}
    small = [name for name, size in sizes.items() if size.bytes <= COUNTED_EXACTLY_BYTES]
    counts = [select(func.count()).select_from(Base.metadata.tables[name]).scalar_subquery() for name in small]
    counted = dict(zip(small, connection.execute(select(*counts)).one(), strict=True)) if small else {}
    return {
        name: RowCount(counted.get(name, max(0, size.estimate)), name in counted, size.total_bytes)
        for name, size in sizes.items()
    }
