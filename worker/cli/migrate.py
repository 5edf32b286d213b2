"""`progress-worker migrate`."""

from typing import TYPE_CHECKING

import click

from worker.errors import SchemaError

if TYPE_CHECKING:
    from worker.settings import Settings


@click.command("migrate")
def command() -> None:
    """Create the tables or bring them up to date.

    Safe at any time, also twice at once: the second waits and finds nothing to do.
    """
    from worker.cli.servers import explained_database, server_settings

    settings = server_settings("DATABASE_URL")
    with explained_database(settings):
        before, after = migrate(settings)
    if before == after:
        click.echo(f"The tables are up to date: {after}.")
    else:
        click.echo(f"Migrated from {before or 'no tables'} to {after}.")


def migrate(settings: "Settings") -> tuple[str | None, str | None]:
    """Apply what is missing; the revisions before and after. Raises SchemaError and SQLAlchemy's errors."""
    from alembic.util import CommandError

    from worker.database import migrate as migration
    from worker.database.engine import open_engine
    from worker.database.server import revision

    engine = open_engine(settings, application_name="progress-worker migrate")
    try:
        with engine.connect() as connection:
            before = revision(connection)
        try:
            migration.migrate(engine)
        except (CommandError, SchemaError) as error:
            raise SchemaError(f"The database stays at {before or 'no tables'}: {error}") from error
        with engine.connect() as connection:
            return before, revision(connection)
    finally:
        engine.dispose()
