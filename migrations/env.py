"""Alembic's environment: one migration at a time per database, never waiting long for a lock that users hold.

The URL is `DATABASE_URL`, or that of a running `progress-worker up`; a caller may hand over a connection instead
(`config.attributes["connection"]`).
"""

import click
from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.schema import SchemaItem

from worker import running_up
from worker.database import own_schema
from worker.database.advisory_locks import MIGRATION_LOCK
from worker.database.engine import extend_timeout, open_engine
from worker.database.failures import explained
from worker.database.models import Base
from worker.database.models.base import CREATED_BY_US
from worker.database.schema import VERSION_TABLE, require_utf8
from worker.database.server import revision
from worker.errors import ProgressError
from worker.settings import get_settings


def is_ours(found: SchemaItem, name: str | None, kind: str, _: bool, other: SchemaItem | None) -> bool:
    """Return whether `alembic check` compares this: no table of an LMS, nor its `user_course`."""
    tables = [each for each in (found, other) if isinstance(each, Table)]
    is_the_lms_s = name == "user_course" and any(table.comment != CREATED_BY_US for table in tables)
    return kind != "table" or (name in Base.metadata.tables and not is_the_lms_s)


def run(connection: Connection) -> None:
    """Apply the revisions in one transaction under the lock, with a bounded wait for any table lock."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        include_object=is_ours,
        compare_type=True,
        compare_server_default=True,
    )
    is_new = False
    try:
        with context.begin_transaction():
            require_utf8(connection)
            extend_timeout(connection, 900)
            connection.execute(text("SET LOCAL lock_timeout = '15min'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            own_schema.prepare(connection)
            is_new = revision(connection) is None
            context.run_migrations()
            if not context.get_context().get_current_heads():
                own_schema.leave(connection)
    except ProgrammingError as error:
        if taken := own_schema.name_taken(error, connection, is_new=is_new):
            raise taken from error
        raise


if context.is_offline_mode():
    raise SystemExit("No SQL script can be made: what the first migration does depends on the user_course it finds.")
if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    try:
        settings = get_settings()
        if up := running_up.in_use():
            click.echo(f"On the system of `progress-worker up` in {up.started_in}.", err=True)
        engine = open_engine(settings, application_name="progress-worker migrate")
        with explained(settings), engine.connect() as own:
            run(own)
    except ProgressError as error:
        raise CommandError(str(error)) from error  # Alembic's own command prints no traceback for it
