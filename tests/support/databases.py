"""Databases for tests: one migrated template a session, cloned for each test. The role needs only CREATEDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from worker.storage import migration


def make_template(url: str) -> str:
    """Create and migrate a database beside the given one; its name."""
    name = _create(url, None)
    engine = create_engine(_url(url, name), poolclass=NullPool)
    migration.migrate(engine)
    engine.dispose()
    return name


def clone_database(url: str, template: str | None, *, strategy: str | None = None) -> tuple[str, str]:
    """Create a database like the template, an empty one without; its name and its URL.

    `file_copy` as the strategy is faster for a large template; PostgreSQL 14 knows none.
    """
    name = _create(url, template, f"STRATEGY {strategy}" if strategy else "")
    return name, _url(url, name)


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
