"""Times outside Python's range: `infinity`, and years after 9999 or before 1, which other programs may have written.

psycopg rejects a whole result that contains one. Read as Python's first or last moment it is just a wrong value: an
audit lists it, a rebuild repairs it, and other rows stay readable.
"""

from datetime import UTC, date, datetime
from typing import Any

from psycopg import DataError, adapters
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def clamp_times(engine: Engine) -> None:
    """Have each new connection read such times so; for an asynchronous engine pass its `sync_engine`."""
    event.listen(engine, "connect", _register)


def _register(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    driver: Any = record.driver_connection
    driver.adapters.register_loader("timestamptz", _TimeLoader)
    driver.adapters.register_loader("date", _DateLoader)


class _TimeLoader(Loader):
    first: date = FIRST
    last: date = LAST

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        plain: Any = adapters.get_loader(oid, Format.TEXT)  # psycopg's own
        self._plain = plain(oid, context)

    def load(self, data: Buffer) -> date:
        try:
            found: date = self._plain.load(data)
        except DataError:
            written = bytes(data)
            if written == b"-infinity" or written.endswith(b"BC"):
                return self.first
            if written == b"infinity" or written.find(b"-") > len("9999"):
                return self.last
            raise
        return found


class _DateLoader(_TimeLoader):
    first, last = date.min, date.max
