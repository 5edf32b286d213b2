"""`migrate` brings any database up to date and says from where to where."""

from collections.abc import Iterator

import pytest
from sqlalchemy import NullPool, create_engine, text

from tests.support.commands import invoke, run
from tests.support.databases import clone_database, drop_database
from worker.database.schema import REVISIONS
from worker.embedded.state import Servers


@pytest.fixture
def empty(servers: Servers) -> Iterator[dict[str, str]]:
    """The environment of a database without any table."""
    name, url = clone_database(servers.database_url, None)
    yield {"DATABASE_URL": url, "REDIS_URL": servers.redis_url}
    drop_database(servers.database_url, name)


def execute(environment: dict[str, str], *statements: str) -> None:
    engine = create_engine(environment["DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_migrating_says_from_where_to_where_and_again_changes_nothing(empty: dict[str, str]) -> None:
    first, second = run(empty, "migrate"), run(empty, "migrate")
    assert (first.returncode, first.stdout) == (0, f"Migrated from no tables to {REVISIONS[-1]}.\n")
    assert (second.returncode, second.stdout) == (0, f"The tables are up to date: {REVISIONS[-1]}.\n")


def test_other_commands_name_the_missing_migration(empty: dict[str, str]) -> None:
    for command in (["status"], ["summary", "1"], ["drain"], ["dead-letters", "list"]):
        result = invoke(empty, *command)
        assert result.exit_code == 1
        assert "Run `progress-worker migrate`." in result.stderr
    ready = invoke(empty, "health", "ready")
    assert ready.exit_code == 1
    assert "PostgreSQL: The database has no tables of ours." in ready.stdout
    assert "Redis: ok" in ready.stdout


def test_a_table_of_the_lms_that_does_not_fit_is_named_and_left_alone(empty: dict[str, str]) -> None:
    execute(empty, "CREATE TABLE user_course (id bigint PRIMARY KEY)")
    result = invoke(empty, "migrate")
    assert result.exit_code == 1
    assert "user_course has no column course_id, user_id" in result.stderr
    assert "stays at no tables" in result.stderr


def test_a_role_without_rights_is_told_so(empty: dict[str, str]) -> None:
    execute(
        empty,
        "ALTER DATABASE "
        + empty["DATABASE_URL"].rpartition("/")[2].partition("?")[0]
        + " SET default_transaction_read_only = on",
    )
    result = invoke(empty, "migrate")
    assert result.exit_code == 1
    assert "PostgreSQL refuses: cannot execute" in result.stderr
