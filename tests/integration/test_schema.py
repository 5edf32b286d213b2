"""Whether the database is ours to write: a verdict with what to do next."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from tests.support.databases import clone_database, drop_database
from tests.support.tables import execute
from worker.database import schema
from worker.embedded.state import Servers
from worker.errors import SchemaError


@pytest.fixture
def empty(servers: Servers) -> Iterator[Engine]:
    """A database without any table."""
    name, url = clone_database(servers.database_url, None)
    engine = create_engine(url, poolclass=NullPool)
    yield engine
    drop_database(servers.database_url, name)


def check(engine: Engine) -> None:
    with engine.connect() as connection:
        schema.check(connection)


def test_our_newest_tables_are_fine(engine: Engine) -> None:
    check(engine)


def test_no_tables_is_an_error_that_says_what_to_run(empty: Engine) -> None:
    with pytest.raises(SchemaError, match=r"no tables of ours.*progress-worker migrate"):
        check(empty)


@pytest.mark.parametrize("revision", schema.REVISIONS[:-1])
def test_older_tables_are_an_error_that_says_which(engine: Engine, revision: str) -> None:
    execute(engine, f"UPDATE {schema.VERSION_TABLE} SET version_num = :revision", revision=revision)
    with pytest.raises(SchemaError, match=rf"at {revision}, this worker needs {schema.REVISIONS[-1]}"):
        check(engine)


def test_a_version_table_without_a_version_is_an_error(engine: Engine) -> None:
    execute(engine, f"DELETE FROM {schema.VERSION_TABLE}")
    with pytest.raises(SchemaError, match="no revision"):
        check(engine)


def test_tables_of_a_newer_version_are_fine(engine: Engine) -> None:
    execute(engine, f"UPDATE {schema.VERSION_TABLE} SET version_num = 'ffffffffffff'")
    check(engine)


def test_a_read_only_database_is_an_error(engine: Engine) -> None:
    execute(engine, f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only = on')
    engine.dispose()
    with pytest.raises(SchemaError, match="read-only"):
        check(engine)
