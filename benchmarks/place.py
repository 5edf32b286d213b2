"""Where contenders are measured: embedded servers, and for each run a fresh database and an empty Redis."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from benchmarks.usage import Usage, measure_usage
from tests.support.databases import clone_database, drop_database, make_template
from worker.contract.entry import Entry
from worker.embedded.start import start_servers
from worker.embedded.state import default_directory
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.streams import connection
from worker.streams.connection import Redis

ROOT = Path(__file__).parents[1]
_LATER = 1_900_000_000_000
"""Milliseconds in the ids of the enrollments' entries: after every event."""


@dataclass(frozen=True)
class Place:
    """One contender's database and Redis."""

    settings: Settings
    engine: Engine
    redis: Redis
    directory: Path

    @property
    def database_url(self) -> str:
        """For SQLAlchemy."""
        return str(self.settings.database_url)

    @property
    def redis_url(self) -> str:
        """For every client."""
        return str(self.settings.redis_url)

    def environment(self) -> dict[str, str]:
        """For a process that works here and imports from the checkout."""
        url = make_url(self.database_url)
        return os.environ | {
            "DATABASE_URL": self.database_url,
            "CONNINFO": url.set(drivername="postgresql").render_as_string(hide_password=False),
            "REDIS_URL": self.redis_url,
            "PROGRESS_RUNTIME_DIRECTORY": str(self.settings.runtime_directory),
            "PYTHONPATH": str(ROOT),
        }

    def usage(self, pids: Sequence[int]) -> Usage:
        """What the servers and these processes have used so far."""
        return measure_usage(self.engine, self.redis, pids)


class Ground:
    """The servers, a template database in which every learner is enrolled, and others made of it."""

    def __init__(self, directory: Path, database_url: str, redis_url: str, enrollments: Sequence[bytes]) -> None:
        self._directory = directory
        self._database_url = database_url
        self._redis_url = redis_url
        self._template = make_template(database_url)
        url = make_url(database_url).set(database=self._template)
        engine = create_engine(url, poolclass=NullPool)
        ingest(engine, [Entry("lesson-events", f"{_LATER}-{n}", line) for n, line in enumerate(enrollments)])
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as maker:
            maker.execute(text("VACUUM ANALYZE"))

    def fill(self, *statements: str, **numbers: int) -> str:
        """Another template with more rows; made without the checks of foreign keys or waiting for the disk."""
        name, url = clone_database(self._database_url, self._template)
        options = "-c session_replication_role=replica -c synchronous_commit=off"
        engine = create_engine(url, poolclass=NullPool, connect_args={"options": options}, isolation_level="AUTOCOMMIT")
        with engine.connect() as maker:
            for statement in (*statements, "VACUUM ANALYZE", "CHECKPOINT"):
                maker.execute(text(statement), numbers)
        return name

    @contextmanager
    def place(self, template: str | None = None) -> Iterator[Place]:
        """A fresh database, also of another template, and an empty Redis, right after a checkpoint; gone afterwards."""
        if template is None:
            name, url = clone_database(self._database_url, self._template)
        else:
            name, url = clone_database(self._database_url, template, strategy="file_copy")
        runtime = Path(tempfile.mkdtemp(dir=self._directory))
        settings = Settings(database_url=url, redis_url=self._redis_url, runtime_directory=runtime)
        engine = create_engine(url, connect_args={"application_name": "benchmark"}, isolation_level="AUTOCOMMIT")
        redis = connection.connect(settings)
        redis.flushall()
        with engine.connect() as maker:
            maker.execute(text("CHECKPOINT"))
        try:
            yield Place(settings, engine, redis, runtime)
        finally:
            engine.dispose()
            redis.close()
            drop_database(self._database_url, name)


@contextmanager
def ground(enrollments: Sequence[bytes]) -> Iterator[Ground]:
    """Servers with the worker's own settings: `fsync` and `synchronous_commit` on, append-only file every second."""
    directory = Path(tempfile.mkdtemp(dir=default_directory("test")))
    try:
        with start_servers(directory) as servers:
            yield Ground(directory, servers.database_url, servers.redis_url, enrollments)
    finally:
        shutil.rmtree(directory)


def python(environment: str | None = None) -> str:
    """The interpreter of an environment beside the sources, by default the one that runs this."""
    if environment is None:
        return sys.executable
    found = ROOT / environment / "bin" / "python"
    if not found.exists():
        raise SystemExit(f"{environment} is missing: run `make bench`.")
    return str(found)
