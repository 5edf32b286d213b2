"""The limit: what PostgreSQL alone can take. The same statements on batches that are ready, nothing else running."""

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier

from sqlalchemy import Engine

from benchmarks.contenders.contender import LIMIT_SECONDS, START_SECONDS, Measured, count, settle
from benchmarks.events import Log
from benchmarks.place import Place
from worker.contract.event import EVENT, LedgerEvent
from worker.database.engine import open_engine
from worker.progress import enrollments
from worker.progress import record as ledger
from worker.settings import Settings

Batch = tuple[list[int], str]
"""The parameters of the two statements: ids to lock, events as JSON."""


class Limit:
    """So many connections, each with a process of its own and with learners of its own."""

    def __init__(self, connections: int, batch_size: int | None = None) -> None:
        self._connections = connections
        self._batch_size = batch_size or Settings().batch_size
        self.key = f"limit_{connections}"
        self.rate = 50_000 * connections
        self.title = f"limit: PostgreSQL alone, {count(connections, 'connection', 'connections')}"

    def measure(self, place: Place, log: Log) -> Measured:
        """The clock runs from the moment every process is ready until the last has committed."""
        spawn = multiprocessing.get_context("spawn")
        ready = spawn.Barrier(self._connections + 1)
        done = spawn.Barrier(self._connections + 1)
        shares = [
            (self._batches(log.warm_up, number), self._batches(log.timed, number))
            for number in range(self._connections)
        ]
        processes = [
            spawn.Process(target=record, args=(place.database_url, *share, ready, done), daemon=True)
            for share in shares
        ]
        for process in processes:
            process.start()
        pids = [process.pid for process in processes if process.pid]
        try:
            # Nobody goes on before this process has looked; the usage is taken while they wait.
            ready.wait(START_SECONDS)
            settle(place)
            before = place.usage(pids)
            started = time.monotonic()
            ready.wait(START_SECONDS)
            done.wait(LIMIT_SECONDS)
            seconds = time.monotonic() - started
            usage = place.usage(pids) - before
            done.wait(START_SECONDS)
            return Measured(seconds, usage)
        finally:
            for process in processes:
                process.join(START_SECONDS)
                process.kill()

    def _batches(self, lines: Sequence[bytes], number: int) -> list[Batch]:
        events = [event for line in lines if isinstance(event := EVENT.validate_json(line), LedgerEvent)]
        mine = [event for event in events if event.data.user_course_id % self._connections == number]
        pieces = [mine[start : start + self._batch_size] for start in range(0, len(mine), self._batch_size)]
        return [(sorted({event.data.user_course_id for event in piece}), ledger.rows(piece)) for piece in pieces]


def record(url: str, warm_up: list[Batch], timed: list[Batch], ready: Barrier, done: Barrier) -> None:
    """What each process does."""
    engine = open_engine(Settings(database_url=url))
    _execute(engine, warm_up)
    ready.wait(START_SECONDS)
    ready.wait(START_SECONDS)
    _execute(engine, timed)
    done.wait(LIMIT_SECONDS)
    done.wait(START_SECONDS)
    engine.dispose()


def _execute(engine: Engine, batches: Sequence[Batch]) -> None:
    for ids, events in batches:
        with engine.begin() as connection:
            connection.execute(enrollments._LOCK, {"ids": ids})
            connection.execute(ledger._RECORD, {"events": events})
