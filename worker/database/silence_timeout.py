"""A connection to PostgreSQL that gives up on a server which has fallen silent.

`statement_timeout` is the server's: lost with it. TCP's own timeouts notice a peer that is gone, but not a proxy or a
load balancer that stays and acknowledges every byte, so that psycopg would wait for ever.
"""

from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from sqlalchemy import Dialect, Engine, event

Result = TypeVar("Result")
Patient = TypeVar("Patient", bound="_Patience")


class _Patience:
    """Counts as lost once nothing was sent or heard for longer than a statement may take, and a margin."""

    pgconn: PGconn
    statement_seconds = margin_seconds = float("inf")
    allowed_seconds = 0.0
    """What a statement of the present transaction may take, where that is more."""

    def watched(self, gen: PQGen[Result]) -> PQGen[Result]:
        """The generator itself; psycopg resumes it a few times a second also when nothing came, with a false value.

        Raises OperationalError, with the connection closed, when the server is silent.
        """
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            self.allowed_seconds = 0.0
        try:
            wanted, heard_at = next(gen), monotonic()
            while True:
                ready = yield wanted
                if ready:
                    heard_at = monotonic()
                elif (silence := monotonic() - heard_at) > self._seconds():
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server has been silent for {silence:.1f} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _seconds(self) -> float:
        return max(self.statement_seconds, self.allowed_seconds) + self.margin_seconds


class PatientConnection(_Patience, psycopg.Connection[Any]):
    """A connection of a thread."""

    def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """As psycopg does, but not for ever."""
        return super().wait(self.watched(gen), *args, **kwargs)


class AsyncPatientConnection(_Patience, psycopg.AsyncConnection[Any]):
    """A connection of an event loop."""

    async def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """As psycopg does, but not for ever."""
        return await super().wait(self.watched(gen), *args, **kwargs)


def be_patient(engine: Engine, statement_seconds: float, margin_seconds: float) -> None:
    """Have the engine make such connections; of an asynchronous one, its `sync_engine`."""

    def prepared(connection: Patient) -> Patient:
        connection.statement_seconds, connection.margin_seconds = statement_seconds, margin_seconds
        return connection

    async def open_async_engine(*args: Any, **parameters: Any) -> AsyncPatientConnection:
        return prepared(await AsyncPatientConnection.connect(*args, **parameters))

    def connect(dialect: Dialect, _record: object, args: Any, parameters: Any) -> Any:
        if dialect.is_async:
            return dialect.connect(*args, async_creator_fn=open_async_engine, **parameters)
        return prepared(PatientConnection.connect(*args, **parameters))

    event.listen(engine, "do_connect", connect)
