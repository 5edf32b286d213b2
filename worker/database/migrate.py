"""Apply the migrations. Separate from `worker.database.schema` because only this needs Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from worker.database.schema import REVISIONS

_PACKAGE = Path(__file__).parents[1]
_LOCATIONS = (_PACKAGE / "migrations", _PACKAGE.parent / "migrations")
"""In an installed wheel, and in a checkout."""


def migrate(engine: Engine) -> str:
    """Apply every missing migration in one transaction under the migration lock; return the revision reached."""
    config = Config()
    config.set_main_option("script_location", str(next(path for path in _LOCATIONS if path.is_dir())))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return REVISIONS[-1]
