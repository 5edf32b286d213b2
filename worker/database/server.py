"""PostgreSQL's version, its clock and the revision of its schema."""

from datetime import datetime

from sqlalchemy import Connection, Engine, text

from worker.database.schema import VERSION_TABLE

_HAS_VERSION_TABLE = text(f"SELECT to_regclass('{VERSION_TABLE}') IS NOT NULL")

_REVISION = text(f"SELECT max(version_num) FROM {VERSION_TABLE}")  # noqa: S608 - a constant


def revision(connection: Connection) -> str | None:
    """Return the database's revision; None without our tables."""
    if not connection.scalar(_HAS_VERSION_TABLE):
        return None
    found = connection.scalar(_REVISION)
    return None if found is None else str(found)


def server_version(connection: Connection) -> str:
    """Return PostgreSQL's version, such as 18.1."""
    return str(connection.scalar(text("SHOW server_version")))


def clock(connection: Connection) -> datetime:
    """Return the current time of PostgreSQL's clock, not the transaction's."""
    now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now


def read_clock(engine: Engine) -> datetime:
    """Return it outside any transaction."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return clock(connection)
