"""What a PostgreSQL says of itself: its version, its clock, the migration it is at."""

from datetime import datetime

from sqlalchemy import Connection, Engine, text

_HAS_VERSION_TABLE = text("SELECT to_regclass('progress_alembic_version') IS NOT NULL")

_REVISION = text("SELECT max(version_num) FROM progress_alembic_version")


def revision(connection: Connection) -> str | None:
    """The migration that the database is at; None without our tables."""
    if not connection.scalar(_HAS_VERSION_TABLE):
        return None
    found = connection.scalar(_REVISION)
    return None if found is None else str(found)


def server_version(connection: Connection) -> str:
    """PostgreSQL's version, such as 18.1."""
    return str(connection.scalar(text("SHOW server_version")))


def clock(connection: Connection) -> datetime:
    """The time by PostgreSQL's clock, now, not when the transaction began."""
    now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now


def read_clock(engine: Engine) -> datetime:
    """The same, outside any transaction."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return clock(connection)
