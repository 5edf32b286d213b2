"""PostgreSQL's version, its clock and the revision of its schema."""

from datetime import datetime

from sqlalchemy import Connection, Engine, inspect, text

from worker.database.schema import VERSION_TABLE, versions
from worker.database.search_path import schema_of


def revision(connection: Connection) -> str | None:
    """Return the database's revision; None without our tables."""
    if not inspect(connection).has_table(VERSION_TABLE, schema=schema_of(connection)):
        return None
    return max(connection.scalars(versions(connection)), default=None)


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
