"""Connections to PostgreSQL that give up when the server stops answering.

`statement_timeout` is the server's and is lost with it. TCP's timeouts detect a peer that is gone, but not a proxy or
load balancer that still acknowledges every byte, behind which psycopg would wait for ever.
"""

from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from sqlalchemy import Dialect, Engine, event

Result = TypeVar("Result")
Limited = TypeVar("Limited", bound="_SilenceTimeout")


class _SilenceTimeout:
    """Close the connection after a statement's timeout and a margin without a byte sent or received."""

    pgconn: PGconn
    statement_seconds = margin_seconds = float("inf")
    extended_seconds = 0.0
    """Statement timeout of the current transaction, if longer."""

    def watch(self, gen: PQGen[Result]) -> PQGen[Result]:
        """Delegate to the generator. psycopg resumes it several times a second, with a false value if nothing came.

        Raises OperationalError, after closing the connection, when the server is silent for too long.
        """
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            self.extended_seconds = 0.0
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
        return max(self.statement_seconds, self.extended_seconds) + self.margin_seconds


class SilenceTimeoutConnection(_SilenceTimeout, psycopg.Connection[Any]):
    """A connection of a thread."""

    def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """Wait like psycopg, up to the silence timeout."""
        return super().wait(self.watch(gen), *args, **kwargs)


class AsyncSilenceTimeoutConnection(_SilenceTimeout, psycopg.AsyncConnection[Any]):
    """A connection of an event loop."""

    async def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """Wait like psycopg, up to the silence timeout."""
        return await super().wait(self.watch(gen), *args, **kwargs)


def set_silence_timeout(engine: Engine, statement_seconds: float, margin_seconds: float) -> None:
    """Have the engine open such connections; for an asynchronous engine pass its `sync_engine`."""

    def limit(connection: Limited) -> Limited:
        connection.statement_seconds, connection.margin_seconds = statement_seconds, margin_seconds
        return connection

    async def connect_async(*args: Any, **parameters: Any) -> AsyncSilenceTimeoutConnection:
        return limit(await AsyncSilenceTimeoutConnection.connect(*args, **parameters))

    def connect(dialect: Dialect, _record: object, args: Any, parameters: Any) -> Any:
        if dialect.is_async:
            return dialect.connect(*args, async_creator_fn=connect_async, **parameters)
        return limit(SilenceTimeoutConnection.connect(*args, **parameters))

    event.listen(engine, "do_connect", connect)
