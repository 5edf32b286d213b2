"""Count the names of each kind, cheap also for tens of millions."""

from sqlalchemy import Connection, text

from worker.identity.map_names import KINDS

COUNTED_EXACTLY = 10_000
"""Names of a kind up to this number are counted, in its index (milliseconds); more are estimated."""

_COUNTS = text("""
    SELECT kind, (SELECT count(*) FROM (SELECT FROM external_id WHERE kind = each.kind LIMIT :limit) AS its) AS names
    FROM unnest(CAST(:kinds AS text[])) AS each (kind)
""")

_RATIOS = text("""
    SELECT unnest(most_common_vals::text::text[]) AS kind, unnest(most_common_freqs) AS ratio
    FROM pg_stats
    WHERE attname = 'kind' AND (schemaname, tablename) = (
        SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = CAST('external_id' AS regclass)
    )
""")


def count_names(connection: Connection, all_names: int) -> dict[str, int]:
    """Return the number of names by kind, given about how many rows the map has.

    Large numbers are that times the kind's ratio in PostgreSQL's statistics.
    """
    counts = {
        row.kind: int(row.names)
        for row in connection.execute(_COUNTS, {"kinds": list(KINDS), "limit": COUNTED_EXACTLY + 1})
    }
    if max(counts.values()) > COUNTED_EXACTLY:
        ratios = {row.kind: float(row.ratio) for row in connection.execute(_RATIOS)}
        for kind, count in counts.items():
            if count > COUNTED_EXACTLY:
                counts[kind] = max(count, round(all_names * ratios.get(kind, 0)))
    return counts
