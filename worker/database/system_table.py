"""The one row of `progress_system`: the system's identity and its last repairs."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.contract.system_id import System
from worker.database.advisory_locks import REPLAY_LOCK
from worker.errors import SchemaError

_MAY_ASK = text("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")

_CLUSTER = text("SELECT system_identifier FROM pg_control_system()")

_ID = text("SELECT id, current_database() AS database FROM progress_system")

_REPAIRS = text("""
    SELECT replays, commits_lost_at, entries_replayed, applied_again, redis_put_back_at, publish_again_from
    FROM progress_system
""")

_WAS_REFUSED = text("SELECT refused_at IS NOT NULL FROM progress_system")

_REFUSE = text("UPDATE progress_system SET refused_at = now() WHERE refused_at IS NULL")

_END_REFUSAL = text("UPDATE progress_system SET refused_at = NULL")

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")

_BEGIN_REPLAY = text("""
    UPDATE progress_system
    SET replays = replays + 1, commits_lost_at = now(), entries_replayed = 0, applied_again = 0,
        publish_again_from = :since, replay_cursor = '{}', positions_since = now()
""")

_CURSOR = text("SELECT replay_cursor FROM progress_system")

_ADVANCE_REPLAY = text("""
    UPDATE progress_system
    SET entries_replayed = entries_replayed + :entries, applied_again = applied_again + :applied,
        replay_cursor = replay_cursor || jsonb_build_object(CAST(:stream AS text), CAST(:entry_id AS text))
""")

_END_REPLAY = text("UPDATE progress_system SET replay_cursor = NULL")

_PUT_BACK = text("UPDATE progress_system SET redis_put_back_at = now(), publish_again_from = :since")


@dataclass(frozen=True, slots=True)
class Repairs:
    """The losses that this database remembers; a time is None if there was none."""

    replays: int
    """Number of times that lost commits were replayed from Redis."""
    commits_lost_at: datetime | None
    entries_replayed: int
    """In the last replay."""
    applied_again: int
    """Of those."""
    redis_put_back_at: datetime | None
    publish_again_from: datetime | None
    """Events published since may be missing; None if the last repair was complete."""


def identify(connection: Connection) -> System:
    """Return the system of this database. Raises SchemaError when the row is missing."""
    row = connection.execute(_ID).one_or_none()
    if row is None:
        raise SchemaError("The table progress_system is empty. Restore its row from a backup, or insert a new one.")
    cluster = str(connection.scalar(_CLUSTER)) if connection.scalar(_MAY_ASK) else ""
    return System(str(row.id), cluster, row.database)


def was_refused(connection: Connection) -> bool:
    """Return whether the streams belonged to another system when they last had an owner."""
    return bool(connection.scalar(_WAS_REFUSED))


def remember_refusal(connection: Connection) -> None:
    """Record that the streams are another system's. In the caller's transaction, like all below."""
    connection.execute(_REFUSE)


def end_refusal(connection: Connection) -> None:
    """Record that the streams are this system's."""
    connection.execute(_END_REFUSAL)


def read_repairs(connection: Connection) -> Repairs:
    """Return the recorded repairs."""
    return Repairs(*connection.execute(_REPAIRS).one())


def lock_replay(connection: Connection) -> bool:
    """Keep others from replaying until the transaction ends; False when another consumer is replaying."""
    return bool(connection.scalar(_TRY_LOCK, {"key": REPLAY_LOCK}))


def begin_replay(connection: Connection, publish_again_from: datetime | None) -> None:
    """Record that commits were lost and that a replay begins."""
    connection.execute(_BEGIN_REPLAY, {"since": publish_again_from})


def replay_cursor(connection: Connection) -> dict[str, str] | None:
    """Return the last replayed entry of each stream; None when no replay is in progress."""
    found: dict[str, str] | None = connection.scalar(_CURSOR)
    return found


def advance_replay(connection: Connection, stream: str, entry_id: str, entries: int, applied: int) -> None:
    """Record the replay's progress, so that another consumer can continue it."""
    given = {"stream": stream, "entry_id": entry_id, "entries": entries, "applied": applied}
    connection.execute(_ADVANCE_REPLAY, given)


def end_replay(connection: Connection) -> None:
    """Record that the replay is complete."""
    connection.execute(_END_REPLAY)


def remember_put_back(connection: Connection, publish_again_from: datetime | None) -> None:
    """Record that Redis was restored to an older state."""
    connection.execute(_PUT_BACK, {"since": publish_again_from})
