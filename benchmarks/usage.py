"""What a stretch of work costs: processor time of Redis, PostgreSQL and the workers; write-ahead log; HOT updates."""

from collections.abc import Iterable
from dataclasses import dataclass

import psutil
from sqlalchemy import Engine

from tests.support.tables import rows
from worker.streams.connection import Redis

_WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'"
_UPDATES = "SELECT sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_user_tables"
"""A session reports them about every second: good for their share, not for their number."""
_SERVER = "SELECT pg_backend_pid()"


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time, and bytes of log, so far or within a stretch."""

    redis: float
    postgresql: float
    workers: float
    wal_bytes: int
    updates: int
    hot_updates: int

    @property
    def hot_share(self) -> float:
        """Of the updated rows, those that needed no new index entry (heap-only tuples)."""
        return self.hot_updates / self.updates if self.updates else 0.0

    def __sub__(self, earlier: "Usage") -> "Usage":
        return Usage(
            self.redis - earlier.redis,
            self.postgresql - earlier.postgresql,
            self.workers - earlier.workers,
            self.wal_bytes - earlier.wal_bytes,
            self.updates - earlier.updates,
            self.hot_updates - earlier.hot_updates,
        )


def measure_usage(engine: Engine, redis: Redis, pids: Iterable[int]) -> Usage:
    """Of the servers, and of the processes with all their children."""
    ((backend,),) = rows(engine, _SERVER)
    ((wal,),) = rows(engine, _WAL)
    ((updates, hot_updates),) = rows(engine, _UPDATES)
    valkey = psutil.Process(int(redis.info("server")["process_id"]))
    server = psutil.Process(backend).parent()
    assert server is not None
    workers = sum(_family(psutil.Process(pid)) for pid in pids)
    return Usage(_seconds(valkey), _family(server), workers, int(wal), int(updates), int(hot_updates))


def _family(process: psutil.Process) -> float:
    return _seconds(process) + sum(_seconds(child) for child in process.children(recursive=True))


def _seconds(process: psutil.Process) -> float:
    """Its own, and that of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
