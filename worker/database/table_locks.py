"""Locks on whole tables, which block every worker, unlike those on rows."""

from sqlalchemy import Connection, text

from worker.database.models import Base

# The modes that conflict with writing rows, also while they are waited for: later requests queue behind them.
_IS_LOCKED = text("""
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'relation' AND pid <> pg_backend_pid()
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND relation = ANY(ARRAY(SELECT to_regclass(name)::oid FROM unnest(CAST(:tables AS text[])) AS ours (name)))
          AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    )
""")


def is_table_locked(connection: Connection) -> bool:
    """Return whether another session has locked, or waits to lock, one of our tables as a whole."""
    return bool(connection.scalar(_IS_LOCKED, {"tables": list(Base.metadata.tables)}))
