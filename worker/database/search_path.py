"""Where tables are found: in the schema of `PROGRESS_SCHEMA` first, then along the role's own search_path.

The LMS's `user_course` is on the latter. Unqualified names do the rest, so no statement names a schema.
"""

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

# `reset_val` is the role's own path also if this session, or another behind PgBouncer, has put a schema first before.
_PUT_FIRST = """
    SELECT set_config('search_path', concat_ws(', ', quote_ident(%s), nullif(reset_val, '')), false)
    FROM pg_settings WHERE name = 'search_path'
"""

_TRIGGER_PATH = text("""
    SELECT concat_ws(', ', quote_ident(current_schema()), (
        SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass('user_course') AND nspname <> current_schema()
    ))
""")


def put_first(engine: Engine, schema: str | None) -> None:
    """Have each new connection look into the schema first; for an asynchronous engine pass its `sync_engine`.

    This costs one statement per connection, none per transaction. None leaves the search_path alone.
    """
    if schema is None:
        return

    def put(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(_PUT_FIRST, [schema])
        cursor.close()
        connection.commit()
        record.info["schema"] = schema

    event.listen(engine, "connect", put)


def schema_of(connection: Connection) -> str | None:
    """Return the schema of our tables, None if the role's own search_path decides."""
    found: str | None = connection.info.get("schema")
    return found


def trigger_path(connection: Connection) -> str:
    """Return the search_path of our triggers' functions, which the LMS's sessions run: our tables', `user_course`'s."""
    return str(connection.scalar(_TRIGGER_PATH))
