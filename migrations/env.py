"""Alembic's environment: one migration at a time per database, never waiting long for a lock that users hold.

The URL is `DATABASE_URL`, or that of a running `progress-worker up`; a caller may hand over a connection instead
(`config.attributes["connection"]`).
"""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text

from worker.database.advisory_locks import MIGRATION_LOCK
from worker.database.engine import extend_timeout, open_engine
from worker.database.models import Base
from worker.database.schema import VERSION_TABLE, require_utf8
from worker.errors import SchemaError
from worker.settings import get_settings


def run(connection: Connection) -> None:
    """Apply the revisions in one transaction under the lock, with a bounded wait for any table lock."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        try:
            require_utf8(connection)
        except SchemaError as error:
            raise CommandError(str(error)) from error  # a sentence of Alembic's own command too
        extend_timeout(connection, 900)
        connection.execute(text("SET LOCAL lock_timeout = '15min'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("No SQL script can be made: what the first migration does depends on the user_course it finds.")
if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    with open_engine(get_settings(), application_name="progress-worker migrate").connect() as own:
        run(own)
