"""Let users not count, such as staff, whether or not an event has named them yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, text

CHUNK = 5_000

_LIMIT_WAIT = text("SELECT set_config('lock_timeout', '5s', true)")

_KNOWN = text("""
    SELECT key FROM external_id
    WHERE kind = 'user' AND source = :source AND key = ANY(CAST(:keys AS text[])) AND scope = 0
""")

_NAME = text("""
    INSERT INTO external_id (kind, source, key, id, ignored)
    SELECT 'user', :source, key, nextval('external_id_seq'), true
    FROM unnest(CAST(:keys AS text[])) AS given (key)
    WHERE NOT EXISTS (
        SELECT FROM external_id AS known
        WHERE (known.kind, known.source, known.key, known.scope) = ('user', :source, given.key, 0)
    )
    ORDER BY key COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING key
""")

# All names of a user: aliases, also those of other connections.
_FLAG = text("""
    UPDATE external_id SET ignored = :ignored
    WHERE kind = 'user' AND ignored <> :ignored AND id IN (
        SELECT id FROM external_id WHERE kind = 'user' AND source = :source AND key = ANY(CAST(:keys AS text[]))
    )
""")

_ENROLLED = text("""
    SELECT count(DISTINCT user_id) FROM user_course
    WHERE user_id IN (
        SELECT id FROM external_id WHERE kind = 'user' AND source = :source AND key = ANY(CAST(:keys AS text[]))
    )
""")


@dataclass(slots=True)
class Flagged:
    """What became of the users."""

    known: int = 0
    new: list[str] = field(default_factory=list)
    """Those that no event has named yet: named now, or, if they are to count again, left alone."""
    enrolled: int = 0
    """Users with enrollments, whose rows stay as they are."""


def known_users(connection: Connection, source: str, keys: Sequence[str]) -> set[str]:
    """Return those of these names that the map has."""
    return set(connection.scalars(_KNOWN, {"source": source, "keys": list(keys)}))


def flag_users(engine: Engine, source: str, keys: Iterable[str], *, ignored: bool) -> Flagged:
    """Let these users be ignored, or count again, from the next batch on.

    In the order of their names, some thousands in a transaction. Repeated, it changes nothing.
    """
    flagged = Flagged()
    ordered = sorted(set(keys))
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        parameters = {"source": source, "keys": chunk, "ignored": ignored}
        with engine.begin() as connection:
            connection.execute(_LIMIT_WAIT)
            if ignored:
                new = list(connection.scalars(_NAME, parameters))
            else:
                new = sorted(set(chunk) - known_users(connection, source, chunk))
            connection.execute(_FLAG, parameters)
            flagged.enrolled += connection.scalar(_ENROLLED, parameters) or 0
        flagged.known += len(chunk) - len(new)
        flagged.new += new
    return flagged
