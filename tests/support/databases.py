"""Databases for tests: one migrated template a session, cloned for each test. The role needs only CREATEDB."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text

from worker.database import migrate as migration


def make_template(url: str) -> str:
    """Create and migrate a database beside the given one, without PROGRESS_SCHEMA; its name."""
    os.environ.pop("PROGRESS_SCHEMA", None)
    name = _create(url, None)
    engine = create_engine(_url(url, name), poolclass=NullPool)
    migration.migrate(engine)
    engine.dispose()
    return name


def clone_database(
    url: str, template: str | None, *, strategy: str | None = None, options: str = ""
) -> tuple[str, str]:
    """Create a database like the template, an empty one without; its name and its URL.

    `file_copy` as the strategy is faster for a large template; PostgreSQL 14 knows none. `options` are those of CREATE
    DATABASE.
    """
    name = _create(url, template, f"STRATEGY {strategy}" if strategy else options)
    return name, _url(url, name)


def run_alembic(engine: Engine, action: Callable[..., object], *arguments: str) -> None:
    """Run one of `alembic.command` on the engine's database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[2] / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        action(config, *arguments)


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Take migrations back, by default all of them."""
    run_alembic(engine, command.downgrade, revision)


def drop_database(url: str, name: str) -> None:
    """Drop the database, connections and all."""
    with _maintenance(url) as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


def _create(url: str, template: str | None, options: str = "") -> str:
    name = f"progress_test_{uuid4().hex[:12]}"
    with _maintenance(url) as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}" {options}'))
    return name


@contextmanager
def _maintenance(url: str) -> Iterator[Connection]:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def _url(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


class Backup:
    """A copy of a database, to be put back under the database's own name; every connection to it is cut for both."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._name = str(make_url(url).database)
        self._copy = f"{self._name}_copy"

    def take(self) -> None:
        """Copy it as it is now."""
        with self._shut() as connection:
            connection.execute(text(f'CREATE DATABASE "{self._copy}" TEMPLATE "{self._name}"'))

    def put_back(self) -> None:
        """Put the copy in its place."""
        with self._shut() as connection:
            connection.execute(text(f'DROP DATABASE "{self._name}" WITH (FORCE)'))
            connection.execute(text(f'CREATE DATABASE "{self._name}" TEMPLATE "{self._copy}"'))

    @contextmanager
    def _shut(self) -> Iterator[Connection]:
        maintenance = _url(self._url, "postgres")
        with _maintenance(maintenance) as connection:
            connection.execute(text(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false'))
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                {"name": self._name},
            )
            try:
                yield connection
            finally:
                connection.execute(text(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true'))

    def __enter__(self) -> Self:
        """No copy yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the copy."""
        with _maintenance(_url(self._url, "postgres")) as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{self._copy}" WITH (FORCE)'))
