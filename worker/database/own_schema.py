"""The schema for our tables alone: made before the first migration, dropped after the last downgrade.

Also the sentences for what is in the way: a `user_course` out of sight, and names that are taken.
"""

import shlex

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.schema import CreateSchema, DropSchema

from worker.database.models import Base
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
    SELECT nspname FROM pg_trigger
    JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_namespace ON pg_namespace.oid = pronamespace
    WHERE tgrelid = to_regclass('user_course') AND tgname = 'progress_changed_enrollment'
          AND nspname <> coalesce(:schema, current_schema())
""")

_MAY_CREATE_SCHEMA = text("SELECT has_database_privilege(current_database(), 'CREATE')")

_MAY_CREATE_TABLES = text("SELECT has_schema_privilege(:schema, 'USAGE') AND has_schema_privilege(:schema, 'CREATE')")

_OWNER = text("""
    SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = :schema AND relname = :table
""")

_COMMENT = text(f"""
    DO $$ BEGIN EXECUTE format('COMMENT ON SCHEMA %I IS %L', current_schema(), '{CREATED_BY_US}'); END $$
""")

_DROP_VERSIONS = text(f"DROP TABLE IF EXISTS {VERSION_TABLE}")

_IS_OURS_AND_EMPTY = text("""
    SELECT obj_description(oid, 'pg_namespace') = :comment
           AND NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = oid)
    FROM pg_namespace WHERE nspname = :schema
""")

_USER_COURSE = Base.metadata.tables["user_course"]

_COLUMNS_OF_THE_LMS = (
    *("id", "user_id", "course_id", "current_topic", "current_lesson", "current_section"),
    *("created_at", "updated_at", "timezone"),
)
"""Of `user_course`, those that mean the same in an LMS, and are used where they are."""

OWN_COLUMNS = frozenset(_USER_COURSE.columns.keys()).difference(_COLUMNS_OF_THE_LMS)
"""Those that only the worker may have made, and that only it writes."""

_NAMES_BESIDE_THE_LMS = ("user_course", *(str(index.name) for index in _USER_COURSE.indexes))
"""In messages on what is in the LMS's schema whatever PROGRESS_SCHEMA says: columns, triggers, indexes of its table."""

_TAKEN_STATES = ("42P07", "42710", "42723", "42701")
"""A relation or type, a trigger or constraint, a function, a column: each may be a view or an index as well."""


def prepare(connection: Connection) -> None:
    """Create the schema of PROGRESS_SCHEMA unless it is there, in the caller's transaction.

    Raises SchemaError when the role may not, or when `user_course` is out of sight or has our triggers already.
    """
    schema = schema_of(connection)
    if place := connection.scalar(_INSTALLED, {"schema": schema}):
        raise SchemaError(
            f"The schema {place} has our tables for this user_course already. Set PROGRESS_SCHEMA={shlex.quote(place)}."
        )
    if schema is None:
        return
    role, quoted = connection.execute(_QUOTED, {"schema": schema}).one()
    if places := list(connection.scalars(_ELSEWHERE)):
        raise SchemaError(
            f"The table user_course is in the schema {' and '.join(places)}, where {role} does not look. Run "
            f"`ALTER ROLE {role} SET search_path = {places[0]}` and `GRANT USAGE ON SCHEMA {places[0]} TO {role}`, "
            "then migrate again."
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
        if owner := connection.scalar(_OWNER, {"schema": schema, "table": VERSION_TABLE}):
            raise SchemaError(
                f"Our tables in the schema {quoted} belong to the role {owner}, and {role} may not change them. "
                f"Migrate, up or down, as {owner}."
            )
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
    message, schema = first_line(error), schema_of(connection)
    is_beside_the_lms = any(f'"{name}"' in message for name in _NAMES_BESIDE_THE_LMS)
    if not is_new or is_beside_the_lms:
        remedy = "Rename the one of the LMS"
    elif schema is None:
        remedy = "Set PROGRESS_SCHEMA, to `progress` for instance, to keep our tables in a schema of their own"
    else:
        remedy = "Set PROGRESS_SCHEMA to a schema where it is free"
    return SchemaError(f"A name that the worker needs is taken: {message}. {remedy}, then migrate again.")
