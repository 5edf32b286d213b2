"""What every session is told, whatever the server, the database, the role or this process' environment default to.

A text or a number must mean the same everywhere: psycopg reads times and intervals of one style only, and rounded
floats are other floats. `search_path` is left alone: where the tables are is for the operator to say.
"""

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

PINNED = {
    "DateStyle": "ISO,MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "timezone_abbreviations": "Default",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
}
"""By the names under which PostgreSQL reports those that it does."""

ENCODING = "UTF8"


def options() -> list[str]:
    """For libpq: these win over `ALTER DATABASE … SET`, `ALTER ROLE … SET` and PGOPTIONS."""
    return [f"-c {name}={value}" for name, value in PINNED.items()]


def pin(engine: Engine) -> None:
    """See to it on each new connection of the engine; of an asynchronous one, of its `sync_engine`.

    PGDATESTYLE and PGTZ win over options, and a pooler may drop these. Either shows in what PostgreSQL reported while
    connecting, so an ordinary connection costs no statement; what is set here PgBouncer keeps for this client alone.
    """
    event.listen(engine, "connect", _pin)


def _pin(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    reported = record.driver_connection.info  # type: ignore[union-attr] # psycopg's, whose stubs SQLAlchemy ignores
    wrong = {
        name: value
        for name, value in PINNED.items()
        if (found := reported.parameter_status(name)) is not None and found.replace(" ", "") != value
    }
    if wrong:
        cursor = connection.cursor()
        for name, value in wrong.items():
            cursor.execute(f"SET {name} TO {value}")
        cursor.close()
        connection.commit()
