"""Check that the database has the tables that this code needs."""

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, Select, Text, column, select, table, text
from sqlalchemy.exc import ProgrammingError

from worker.database.search_path import schema_of
from worker.errors import SchemaError, first_line

REVISIONS = (
    "b32e785910da",
    "c41f9b0d7e52",
    "d8a26c3f1b94",
    "e7d1b05c93aa",
    "f3a9c27e4d10",
    "a90c5e17d3b8",
    "b6e40a92c7f1",
    "c8d15f3e6a20",
    "d1f60b3a7e92",
    "e2a71c4b8f03",
    "f3b82d5c9a14",
    "a1c4e7092b6d",
    "c7d2f81b6e04",
    "d4e82a6b91f7",
    "e5a90c31d7b8",
)
"""Every migration, oldest first (a test compares this with the folder). An unknown revision is a newer one."""

VERSION_TABLE = "progress_alembic_version"
"""Not Alembic's default, which the LMS may use in the same schema."""

_OUT_OF_SIGHT = text("""
    SELECT quote_ident(nspname) FROM pg_constraint
    JOIN pg_class ON pg_class.oid = confrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE contype = 'f' AND conrelid = to_regclass('user_course_progress')
          AND confrelid IS DISTINCT FROM to_regclass('user_course')
""")


def versions(connection: Connection) -> Select[str]:
    """Return the query for the database's revisions; with PROGRESS_SCHEMA for those in that schema alone."""
    return select(column("version_num", Text)).select_from(table(VERSION_TABLE, schema=schema_of(connection)))


def require_utf8(connection: Connection) -> None:
    """Raise SchemaError unless the database's encoding is UTF-8.

    SQL_ASCII accepts any bytes as text, and other encodings refuse the events whose texts they cannot store.
    """
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise SchemaError(
            f"The database's encoding is {encoding}, and events are UTF-8. Use a database made with ENCODING 'UTF8' "
            "(TEMPLATE template0): dump this one, and restore it there."
        )


def check(connection: Connection) -> None:
    """Raise SchemaError unless the database is writable and UTF-8 and has our tables.

    Tables newer than this code are accepted: a rolling deploy migrates first. When it raises, the connection
    is closed: the next one may see other defaults of the role or database (`failures.replace_refused_sessions`).
    """
    try:
        _check(connection)
    except SchemaError:
        connection.invalidate()
        raise


def _check(connection: Connection) -> None:
    if connection.scalar(text("SHOW transaction_read_only")) == "on":
        raise SchemaError("The database is read-only: a standby, or default_transaction_read_only is on.")
    require_utf8(connection)
    schema = schema_of(connection)
    try:
        found = set(connection.scalars(versions(connection)))
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise SchemaError(f"This role lacks rights: {first_line(error)}. Grant it those of a worker.") from error
        where = f"schema {schema} of the database" if schema else "database"
        raise SchemaError(f"The {where} has no tables of ours. Run `progress-worker migrate`.") from error
    if not found or found & set(REVISIONS[:-1]):
        at = ", ".join(sorted(found)) or "no revision"
        raise SchemaError(f"The database is at {at}, this worker needs {REVISIONS[-1]}. Run `progress-worker migrate`.")
    if schema and (place := connection.scalar(_OUT_OF_SIGHT)):
        raise SchemaError(
            f"This role does not find the user_course of the schema {place}. Set its search_path "
            f"(`ALTER ROLE … SET search_path = {place}`), and grant it USAGE on that schema."
        )
