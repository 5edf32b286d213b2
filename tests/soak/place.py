"""Where a soak runs: servers of its own, a database, and the system on them."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.databases import clone_database, make_template
from tests.support.own_servers import OwnServers, own_servers
from tests.support.system import System
from tests.support.tables import rows
from tests.support.worker_process import CeleryProcess
from worker.settings import Settings
from worker.streams import connection

Figures = list[tuple[str, str]]
"""What was found, and its value, in words."""


@contextmanager
def place(*, redis: bool = False) -> Iterator[tuple[System, OwnServers]]:
    """A migrated database and empty streams, with the settings that people get by default; gone at the end."""
    with own_servers(redis=redis, on_disk=True) as servers, tempfile.TemporaryDirectory() as directory:
        _, url = clone_database(servers.database_url, make_template(servers.database_url))
        settings = Settings(database_url=url, redis_url=servers.redis_url)
        client = connection.connect(settings, retries=3)
        system = System(settings, client, Path(directory))
        system.settings = settings  # their schedule too
        try:
            yield system, servers
        finally:
            system.close()
            client.close()


def max_memory(workers: Iterable[CeleryProcess]) -> int:
    """Resident bytes of the largest pool process."""
    return max((_resident(process) for worker in workers for process in worker.pool_processes()), default=0)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def versions(system: System) -> str:
    """Of both servers."""
    ((postgresql,),) = rows(system.engine, "SHOW server_version")
    info = system.redis.info("server")
    redis = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
    return f"PostgreSQL {postgresql}, {redis}"


def markdown(figures: Figures) -> str:
    """A table of two columns."""
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in figures)])
