"""How far each consumer has committed each stream, stored in the transaction of every batch.

Each consumer has rows of its own, so batches do not wait for each other. Redis never shows more as acknowledged than is
committed here, unless commits were lost.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, text

from worker.contract.committed import Committed
from worker.contract.entry_id import EntryId

_ADVANCE = text("""
    INSERT INTO stream_position AS known (stream, consumer, milliseconds, sequence)
    SELECT stream, :consumer, milliseconds, sequence
    FROM unnest(CAST(:streams AS text[]), CAST(:milliseconds AS numeric[]), CAST(:sequences AS numeric[]))
        AS given (stream, milliseconds, sequence)
    ON CONFLICT (stream, consumer) DO UPDATE SET
        (milliseconds, sequence) = (
            SELECT milliseconds, sequence
            FROM (VALUES (known.milliseconds, known.sequence), (excluded.milliseconds, excluded.sequence))
                AS either (milliseconds, sequence)
            ORDER BY milliseconds DESC, sequence DESC LIMIT 1
        ),
        batches = known.batches + 1, recorded_at = now()
    RETURNING stream, batches, recorded_at
""")

_BATCHES = text("""
    SELECT stream, batches, recorded_at FROM stream_position
    WHERE stream = ANY(CAST(:streams AS text[])) AND consumer = :consumer AND recorded_at > now() - interval '1 hour'
""")

_HIGHEST = text("""
    SELECT DISTINCT ON (stream) stream, milliseconds, sequence FROM stream_position
    WHERE stream = ANY(CAST(:streams AS text[])) ORDER BY stream, milliseconds DESC, sequence DESC
""")

# Not positions above the one seen: they belong to entries that came later.
_LOWER = text("""
    UPDATE stream_position SET milliseconds = :milliseconds, sequence = :sequence
    WHERE stream = :stream AND (milliseconds, sequence) > (:milliseconds, :sequence)
        AND (milliseconds, sequence) <= (:seen_milliseconds, :seen_sequence)
""")

# Rows from before `positions_since` may have been deleted; a later one that is missing was lost.
_LOST = text("""
    SELECT DISTINCT stream
    FROM unnest(
        CAST(:streams AS text[]), CAST(:consumers AS text[]),
        CAST(:batches AS bigint[]), CAST(:recorded_at AS timestamptz[])
    ) AS given (stream, consumer, batches, recorded_at)
    LEFT JOIN stream_position AS known USING (stream, consumer)
    WHERE given.batches > coalesce(known.batches, 0) AND given.recorded_at >= (
        SELECT coalesce(positions_since, '-infinity') FROM progress_system
    )
""")

_DELETE_OLD = text("""
    WITH deleted AS (
        DELETE FROM stream_position AS old WHERE recorded_at < now() - interval '1 day' AND EXISTS (
            SELECT FROM stream_position AS other
            WHERE other.stream = old.stream AND (other.milliseconds, other.sequence) > (old.milliseconds, old.sequence)
        ) RETURNING stream, consumer
    ), noted AS (
        UPDATE progress_system SET positions_since = greatest(positions_since, now() - interval '1 day')
        WHERE EXISTS (SELECT FROM deleted)
    )
    SELECT stream, consumer FROM deleted
""")


def advance(connection: Connection, consumer: str, positions: Mapping[str, EntryId]) -> dict[str, Committed]:
    """Store that the consumer commits these entries with the caller's transaction; a position never decreases.

    Returns per stream how many transactions the consumer has committed, including this one.
    """
    given = {
        "consumer": consumer,
        "streams": list(positions),
        "milliseconds": [milliseconds for milliseconds, _ in positions.values()],
        "sequences": [sequence for _, sequence in positions.values()],
    }
    return {row.stream: Committed(row.batches, row.recorded_at) for row in connection.execute(_ADVANCE, given)}


def committed(connection: Connection, consumer: str, streams: Collection[str]) -> dict[str, Committed]:
    """Return how many transactions the consumer has committed per stream, if the last was within the hour."""
    rows = connection.execute(_BATCHES, {"consumer": consumer, "streams": list(streams)})
    return {row.stream: Committed(row.batches, row.recorded_at) for row in rows}


def lost(connection: Connection, known: Mapping[tuple[str, str], Committed]) -> set[str]:
    """Return the streams of which a consumer, by (stream, consumer), had committed more than is stored here."""
    given = {
        "streams": [stream for stream, _ in known],
        "consumers": [consumer for _, consumer in known],
        "batches": [each.batches for each in known.values()],
        "recorded_at": [each.recorded_at for each in known.values()],
    }
    return set(connection.scalars(_LOST, given))


def highest(connection: Connection, streams: Collection[str]) -> dict[str, EntryId]:
    """Return the highest entry committed by any consumer per stream; streams without one are left out."""
    rows = connection.execute(_HIGHEST, {"streams": list(streams)})
    return {row.stream: (int(row.milliseconds), int(row.sequence)) for row in rows}


def lower(connection: Connection, stream: str, position: EntryId, seen: EntryId) -> None:
    """Lower positions between this one and the one seen, in the caller's transaction: Redis lost those entries."""
    given = {"milliseconds": position[0], "sequence": position[1]}
    seen_given = {"seen_milliseconds": seen[0], "seen_sequence": seen[1]}
    connection.execute(_LOWER, {"stream": stream, **given, **seen_given})


def delete_old(connection: Connection) -> list[tuple[str, str]]:
    """Delete rows older than a day, in the caller's transaction, except each stream's highest position.

    Returns the deleted rows as (stream, consumer).
    """
    return [(row.stream, row.consumer) for row in connection.execute(_DELETE_OLD)]
