"""Apply the migrations. Separate from `worker.database.schema` because only this needs Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine

from worker.database.server import revision
from worker.errors import SchemaError

_PACKAGE = Path(__file__).parents[1]
_LOCATIONS = (_PACKAGE / "migrations", _PACKAGE.parent / "migrations")
"""In an installed wheel, and in a checkout."""


def migrate(engine: Engine) -> tuple[str | None, str | None]:
    """Apply every missing migration in one transaction, under the migrations' lock; the revisions before and after.

    Raises SchemaError when the tables cannot be migrated; nothing has changed then.
    """
    config = Config()
    config.set_main_option("script_location", str(next(path for path in _LOCATIONS if path.is_dir())))
    with engine.connect() as connection:
        before = revision(connection)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (CommandError, SchemaError) as error:
        raise SchemaError(f"The database stays at {before or 'no tables'}: {error}") from error
    with engine.connect() as connection:
        return before, revision(connection)
