"""`progress-worker migrate`."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from worker.settings import Settings


@click.command("migrate")
def command() -> None:
    """Create the tables or bring them up to date.

    Safe to run at any time, also concurrently: the second run waits and finds nothing to do.
    """
    from worker.cli.servers import settings_to_change

    before, after = migrate(settings_to_change("DATABASE_URL"))
    if before == after:
        click.echo(f"The tables are up to date: {after}.")
    else:
        click.echo(f"Migrated from {before or 'no tables'} to {after}.")


def migrate(settings: "Settings") -> tuple[str | None, str | None]:
    """Apply missing migrations with an engine of its own; the revisions before and after. Raises ProgressError."""
    from worker.database import migrate as migration
    from worker.database.engine import open_engine
    from worker.database.failures import explained

    engine = open_engine(settings, application_name="progress-worker migrate")
    try:
        with explained(settings):
            return migration.migrate(engine)
    finally:
        engine.dispose()
