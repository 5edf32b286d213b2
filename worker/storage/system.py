"""Which system this database is, and what it last had to repair of itself: the one row of `progress_system`."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.domain.system import System
from worker.errors import SchemaError

REPLAY_LOCK = 7_305_112_023
"""One consumer at a time applies what was lost again."""

_MAY_ASK = text("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")

_CLUSTER = text("SELECT system_identifier FROM pg_control_system()")

_ID = text("SELECT id, current_database() AS database FROM progress_system")

_REPAIRS = text("""
    SELECT replays, commits_lost_at, entries_replayed, redis_put_back_at, publish_again_from FROM progress_system
""")

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")

_REPLAYED = text("""
    UPDATE progress_system
    SET replays = replays + 1, commits_lost_at = now(), entries_replayed = :entries, publish_again_from = :since
""")

_PUT_BACK = text("UPDATE progress_system SET redis_put_back_at = now(), publish_again_from = :since")


@dataclass(frozen=True, slots=True)
class Repairs:
    """What was lost, as far as this database remembers; times None where it never happened."""

    replays: int
    """How often commits were lost and what Redis still had was applied again."""
    commits_lost_at: datetime | None
    entries_replayed: int
    """The last time."""
    redis_put_back_at: datetime | None
    publish_again_from: datetime | None
    """What publishers sent since may be missing; None where the last repair was complete."""


def identify(connection: Connection) -> System:
    """Which system the database is. Raises SchemaError where the row is gone."""
    row = connection.execute(_ID).one_or_none()
    if row is None:
        raise SchemaError("The table progress_system is empty. Restore its row from a backup, or insert a new one.")
    cluster = str(connection.scalar(_CLUSTER)) if connection.scalar(_MAY_ASK) else ""
    return System(str(row.id), cluster, row.database)


def read_repairs(connection: Connection) -> Repairs:
    """What the database remembers of its repairs."""
    return Repairs(*connection.execute(_REPAIRS).one())


def lock_replay(connection: Connection) -> bool:
    """Keep others from replaying until the caller's transaction ends; False where one does already."""
    return bool(connection.scalar(_TRY_LOCK, {"key": REPLAY_LOCK}))


def remember_replay(connection: Connection, entries: int, publish_again_from: datetime | None) -> None:
    """Note, in the caller's transaction, that commits were lost and so many entries were applied again."""
    connection.execute(_REPLAYED, {"entries": entries, "since": publish_again_from})


def remember_put_back(connection: Connection, publish_again_from: datetime | None) -> None:
    """Note, in the caller's transaction, that Redis was put back to an older moment."""
    connection.execute(_PUT_BACK, {"since": publish_again_from})
