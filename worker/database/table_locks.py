"""Tell a lock on a whole table, which holds up everybody, from one on a row."""

from sqlalchemy import Connection, text

from worker.database.models import Base

# The modes that conflict with writing rows; also one that is still waited for, as everybody queues behind it.
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
    """Another session has locked one of our tables as a whole, or waits to do so."""
    return bool(connection.scalar(_IS_LOCKED, {"tables": list(Base.metadata.tables)}))
