"""Session settings that override the defaults of server, database, role and environment.

psycopg parses times and intervals of one style only, and rounded floats are other floats. `search_path` is the
operator's (`worker.database.search_path`).
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
"""By PostgreSQL's own names, under which it reports some of them."""

ENCODING = "UTF8"


def options() -> list[str]:
    """Return libpq options, which win over `ALTER DATABASE … SET`, `ALTER ROLE … SET` and PGOPTIONS."""
    return [f"-c {name}={value}" for name, value in PINNED.items()]


def pin_settings(engine: Engine) -> None:
    """Check the settings of each new connection; for an asynchronous engine pass its `sync_engine`.

    PGDATESTYLE and PGTZ win over options, and a pooler may drop options. PostgreSQL reports both while connecting, so
    an ordinary connection costs no statement. PgBouncer keeps what is set here for this client alone.
    """
    event.listen(engine, "connect", _pin_settings)


def _pin_settings(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
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
