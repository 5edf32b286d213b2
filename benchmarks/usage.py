"""What a stretch of work costs: processor time of Redis, PostgreSQL and the workers; write-ahead log."""

from collections.abc import Iterable
from dataclasses import dataclass

import psutil
from sqlalchemy import Engine

from tests.support.tables import rows
from worker.stream.connection import Redis

_WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'"
_SERVER = "SELECT pg_backend_pid()"


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time, and bytes of log, so far or within a stretch."""

    redis: float
    postgresql: float
    workers: float
    wal_bytes: int

    def __sub__(self, earlier: "Usage") -> "Usage":
        return Usage(
            self.redis - earlier.redis,
            self.postgresql - earlier.postgresql,
            self.workers - earlier.workers,
            self.wal_bytes - earlier.wal_bytes,
        )


def measure_usage(engine: Engine, redis: Redis, pids: Iterable[int]) -> Usage:
    """Of the servers, and of the processes with all their children."""
    ((backend,),) = rows(engine, _SERVER)
    ((wal,),) = rows(engine, _WAL)
    valkey = psutil.Process(int(redis.info("server")["process_id"]))
    server = psutil.Process(backend).parent()
    assert server is not None
    return Usage(_seconds(valkey), _family(server), sum(_family(psutil.Process(pid)) for pid in pids), int(wal))


def _family(process: psutil.Process) -> float:
    return _seconds(process) + sum(_seconds(child) for child in process.children(recursive=True))


def _seconds(process: psutil.Process) -> float:
    """Its own, and that of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
