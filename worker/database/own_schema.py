"""The schema for our tables alone: made before the first migration, dropped after the last downgrade.

Also the sentences for what is in the way: a `user_course` out of sight, and names that are taken.
"""

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.schema import CreateSchema, DropSchema

from worker.database.models import UserCourse
from worker.database.models.base import CREATED_BY_US
from worker.database.schema import VERSION_TABLE
from worker.database.search_path import schema_of
from worker.errors import SchemaError, first_line

_QUOTED = text("SELECT quote_ident(current_user) AS role, quote_ident(:schema) AS schema")

_ELSEWHERE = text("""
    SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'user_course' AND relkind IN ('r', 'p') AND relpersistence <> 't'
          AND to_regclass('user_course') IS NULL
    ORDER BY 1
""")

_INSTALLED = text("""
    SELECT quote_ident(nspname) FROM pg_trigger
    JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_namespace ON pg_namespace.oid = pronamespace
    WHERE tgrelid = to_regclass('user_course') AND tgname = 'progress_changed_enrollment' AND nspname <> :schema
""")

_MAY_CREATE_SCHEMA = text("SELECT has_database_privilege(current_database(), 'CREATE')")

_MAY_CREATE_TABLES = text("SELECT has_schema_privilege(:schema, 'USAGE') AND has_schema_privilege(:schema, 'CREATE')")

_COMMENT = text(f"""
    DO $$ BEGIN EXECUTE format('COMMENT ON SCHEMA %I IS %L', current_schema(), '{CREATED_BY_US}'); END $$
""")

_DROP_VERSIONS = text(f"DROP TABLE IF EXISTS {VERSION_TABLE}")

_IS_OURS_AND_EMPTY = text("""
    SELECT obj_description(oid, 'pg_namespace') = :comment
           AND NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = oid)
    FROM pg_namespace WHERE nspname = :schema
""")

_COLUMNS_OF_THE_LMS = (
    *("id", "user_id", "course_id", "current_topic", "current_lesson", "current_section"),
    *("created_at", "updated_at", "timezone"),
)
"""Of `user_course`, those that mean the same in an LMS, and are used where they are."""

OWN_COLUMNS = frozenset(UserCourse.__table__.columns.keys()).difference(_COLUMNS_OF_THE_LMS)
"""Those that only the worker may have made, and that only it writes."""

_TAKEN_STATES = ("42P07", "42710", "42723", "42701")
"""A relation or type, a trigger or constraint, a function, a column: each may be a view or an index as well."""


def prepare(connection: Connection) -> None:
    """Create the schema unless it is there, in the caller's transaction. Without PROGRESS_SCHEMA do nothing.

    Raises SchemaError when the role may not, or when `user_course` is out of sight or has our triggers already.
    """
    if (schema := schema_of(connection)) is None:
        return
    role, quoted = connection.execute(_QUOTED, {"schema": schema}).one()
    if places := list(connection.scalars(_ELSEWHERE)):
        raise SchemaError(
            f"The table user_course is in the schema {' and '.join(places)}, where {role} does not look. Run "
            f"`ALTER ROLE {role} SET search_path = {places[0]}` and `GRANT USAGE ON SCHEMA {places[0]} TO {role}`, "
            "then migrate again."
        )
    if place := connection.scalar(_INSTALLED, {"schema": schema}):
        raise SchemaError(
            f"The schema {place} has our tables for this user_course already: unset PROGRESS_SCHEMA, or set it to "
            "that schema."
        )
    if not inspect(connection).has_schema(schema):
        if not connection.scalar(_MAY_CREATE_SCHEMA):
            raise SchemaError(
                f"There is no schema {quoted}, and {role} may not create one. Run "
                f"`CREATE SCHEMA {quoted} AUTHORIZATION {role}` as an administrator, then migrate again."
            )
        connection.execute(CreateSchema(schema))
        connection.execute(_COMMENT)
    elif not connection.scalar(_MAY_CREATE_TABLES, {"schema": schema}):
        raise SchemaError(
            f"{role} may not create tables in the schema {quoted}. Run "
            f"`GRANT USAGE, CREATE ON SCHEMA {quoted} TO {role}` as its owner, then migrate again."
        )


def leave(connection: Connection) -> None:
    """Drop what remains after the last downgrade: the version table, and our schema if it is empty and we made it."""
    connection.execute(_DROP_VERSIONS)
    schema = schema_of(connection)
    if schema and connection.scalar(_IS_OURS_AND_EMPTY, {"schema": schema, "comment": CREATED_BY_US}):
        connection.execute(DropSchema(schema))


def name_taken(error: ProgrammingError, connection: Connection, *, is_new: bool) -> SchemaError | None:
    """Return a sentence if a migration found one of our names taken, None for any other error.

    `is_new`: no migration was applied before.
    """
    state = getattr(error.orig, "sqlstate", None)
    if state not in _TAKEN_STATES:
        return None
    if is_new and state != "42701" and schema_of(connection) is None:
        remedy = "Set PROGRESS_SCHEMA, to `progress` for instance, to keep our tables in a schema of their own"
    else:
        remedy = "Rename the one of the LMS"
    return SchemaError(f"A name that the worker needs is taken: {first_line(error)}. {remedy}, then migrate again.")
