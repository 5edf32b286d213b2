"""Give names the numbers that a file has for them: an LMS's own, and aliases."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from worker.database.advisory_locks import NAMES_LOCK
from worker.database.models.external import FIRST_NUMBER
from worker.errors import ConflictError, InputError
from worker.identity.json_parameter import json_parameter
from worker.identity.map_csv import NumberedName
from worker.identity.map_spool import Spool

_GIVEN = """
    SELECT e->>0 AS kind, e->>1 AS source, e->>2 AS key, (e->>3)::bigint AS scope, (e->>4)::bigint AS id,
           (e->>5)::int AS topic_id, (e->>6)::bigint AS line
    FROM jsonb_array_elements(CAST(:names AS jsonb)) AS each (e)
"""

_CONFLICTS = text(f"""
    SELECT given.*, known.id AS known_id, known.topic_id AS known_topic_id
    FROM ({_GIVEN}) AS given JOIN external_id AS known USING (kind, source, key, scope)
    WHERE (given.id, given.topic_id) IS DISTINCT FROM (known.id, known.topic_id)
    ORDER BY line
""")  # noqa: S608 - constants

_LOCK = text("SELECT set_config('lock_timeout', '5s', true), pg_advisory_xact_lock(:key)")

# A new name of an ignored user is ignored too.
# In the order in which `allocate` names, so that neither waits for the other in a circle.
_LOAD = text(f"""
    WITH loaded AS (
        INSERT INTO external_id AS known (kind, source, key, scope, id, topic_id, ignored)
        SELECT kind, source, key, scope, id, topic_id, kind = 'user' AND EXISTS (
            SELECT FROM external_id AS same WHERE same.kind = 'user' AND same.id = given.id AND same.ignored
        )
        FROM ({_GIVEN}) AS given
        ORDER BY array_position(ARRAY['course', 'user', 'topic', 'lesson'], kind),
                 source COLLATE "C", key COLLATE "C", scope
        ON CONFLICT (kind, source, key, scope) DO UPDATE SET id = excluded.id, topic_id = excluded.topic_id
        WHERE :replace AND (known.id, known.topic_id) IS DISTINCT FROM (excluded.id, excluded.topic_id)
        RETURNING xmax = 0 AS is_new
    )
    SELECT count(*) FILTER (WHERE is_new) AS added, count(*) FILTER (WHERE NOT is_new) AS replaced FROM loaded
""")  # noqa: S608 - constants

# Null: none was given yet.
_LAST_GIVEN = text("SELECT coalesce(pg_sequence_last_value(CAST(:name AS regclass)), :below)")
_SEQUENCES = {"external_id_seq": ("user", "course"), "external_lesson_id_seq": ("topic", "lesson")}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A name that the map has with another number."""

    name: NumberedName
    known_id: int
    known_topic_id: int | None


@dataclass(slots=True)
class Loaded:
    """How many names were new, got another number, and were known so already."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0


def refuse_future_numbers(engine: Engine, spool: Spool, file: str) -> None:
    """Raise InputError if a name is to have a number that the worker will give to another name later."""
    for sequence, kinds in _SEQUENCES.items():
        with engine.connect() as connection:
            last = connection.scalar(_LAST_GIVEN, {"name": sequence, "below": FIRST_NUMBER - 1})
        if name := spool.first_above(kinds, int(last or 0)):
            raise InputError(
                f"{file}, line {name.line}: {name.kind} number {name.id}: the worker has not given it yet and would "
                f"give it to another name later: its own begin at {FIRST_NUMBER}. If the LMS itself counts that high, "
                "the owner of the tables runs this once, with a number above all of the LMS's: "
                f"SELECT setval('{sequence}', …)."
            )


def find_conflicts(engine: Engine, spool: Spool, go_on: Callable[[int], None]) -> Iterator[Conflict]:
    """Yield the names that the map has with another number; `go_on` is told how many were compared."""
    done = 0
    for chunk in spool.chunks():
        with engine.connect() as connection:
            yield from _conflicts(connection, chunk)
        go_on(done := done + len(chunk))


def load_names(engine: Engine, spool: Spool, go_on: Callable[[int], None], *, replace: bool) -> Loaded:
    """Store the names, each chunk in a transaction of its own; `go_on` is told how many are stored.

    Repeated, it changes nothing. Raises ConflictError, unless they are to be replaced, for names that other sessions
    have given another number since `find_conflicts`.
    """
    loaded = Loaded()
    done = 0
    for chunk in spool.chunks():
        with engine.begin() as connection:
            connection.execute(_LOCK, {"key": NAMES_LOCK})
            row = connection.execute(_LOAD, {"names": json_parameter(chunk), "replace": replace}).one()
            conflict = next(_conflicts(connection, chunk), None)
            if conflict:
                raise ConflictError(
                    f"line {conflict.name.line}: {conflict.name.kind} {conflict.name.key!a:.200} has just got the "
                    f"number {conflict.known_id} from a worker. {done:,} names are loaded. Load the file again."
                )
        loaded.added += row.added
        loaded.replaced += row.replaced
        loaded.unchanged += len(chunk) - row.added - row.replaced
        go_on(done := done + len(chunk))
    return loaded


def _conflicts(connection: Connection, names: Sequence[NumberedName]) -> Iterator[Conflict]:
    for *name, known_id, known_topic_id in connection.execute(_CONFLICTS, {"names": json_parameter(names)}):
        yield Conflict(NumberedName(*name), known_id, known_topic_id)
