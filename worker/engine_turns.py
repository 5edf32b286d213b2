"""Run the synchronous core, which owns its transactions, for asyncio programs.

It runs over an asynchronous engine: while it waits for PostgreSQL, SQLAlchemy lets the loop go on. CPU-bound work, such
as an analysis, runs in a thread.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import AsyncAdaptedQueuePool, Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from worker.errors import ServerUnavailableError

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 2
"""Maximum number of analyses and large batches at a time."""


class EngineTurns:
    """Gives callers their turn on an engine's connections and on a few threads."""

    def __init__(self, engine: AsyncEngine, max_wait_seconds: float) -> None:
        """Use an engine of `worker.database.engine.open_async_engine`, which the caller disposes of."""
        pool = engine.pool
        assert isinstance(pool, AsyncAdaptedQueuePool)  # noqa: S101 - for the type checker
        self._engine = engine
        # The pool's own queue lets newcomers overtake waiting calls: the p99 was five times the p50.
        self._free = asyncio.Semaphore(pool.size())
        # Calls that wait for a locked enrollment must not block all reads.
        self._free_to_write = asyncio.Semaphore(max(1, pool.size() * 2 // 3))
        self._free_threads = asyncio.Semaphore(THREADS)
        self._max_wait_seconds = max_wait_seconds

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work that would block the loop in one of a few threads, which share the interpreter with it.

        Raises the work's errors, and ServerUnavailableError after waiting too long for a thread.
        """
        async with self._turn(self._free_threads):
            return await asyncio.to_thread(work, *args, **kwargs)

    async def _write(self, work: Callable[Concatenate[Engine, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._turn(self._free_to_write):
            return await self._run(work, *args, **kwargs)

    async def _run(self, work: Callable[Concatenate[Engine, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what AsyncConnection.run_sync does, for functions that open their own transactions on an engine.

        They must use one connection at a time.
        """
        async with self._turn(self._free):
            return await greenlet_spawn(partial(work, self._engine.sync_engine, *args, **kwargs))

    async def _read(self, find: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that reads in its caller's transaction."""

        def in_transaction(engine: Engine) -> T:
            with engine.begin() as connection:
                return find(connection, *args, **kwargs)

        return await self._run(in_transaction)

    @asynccontextmanager
    async def _turn(self, free: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._max_wait_seconds if free.locked() else None):
                await free.acquire()
        except TimeoutError:
            raise ServerUnavailableError("All connections are busy. Try again.") from None
        try:
            yield
        finally:
            free.release()
