"""What PostgreSQL says, or the way to it, is told as it is; what is our own mistake stays one."""

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError, StatementError

from tests.support.commands import invoke
from worker.database.failures import explained
from worker.errors import ProgressError, SchemaError, ServerUnavailableError
from worker.settings import Settings


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"database": "no_such_database"}, 'has no database "no_such_database".'),
        ({"username": "nobody"}, 'has no role "nobody".'),
        ({"host": "127.0.0.1", "port": 1, "query": {}}, "does not answer at 127.0.0.1:1/"),
        ({"host": "no-such-host.invalid", "query": {}}, "does not answer at no-such-host.invalid/"),
    ],
)
def test_why_there_is_no_connection(settings: Settings, changes: dict[str, object], told: str) -> None:
    url = make_url(str(settings.database_url)).set(**changes)  # type: ignore[arg-type]
    for command in ("migrate", "status"):
        result = invoke(
            {"DATABASE_URL": url.render_as_string(hide_password=False), "REDIS_URL": str(settings.redis_url)}, command
        )
        assert result.exit_code == 1
        assert told in result.stderr
        assert ("does not answer" in result.stderr) == ("does not answer" in told)
        assert ("name of the host is unknown" in result.stderr) == ("no-such-host" in told)


@pytest.mark.parametrize(
    ("statement", "kind", "told"),
    [
        ("SELECT 1 FROM no_such_table", SchemaError, 'refuses: relation "no_such_table" does not exist'),
        (
            "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)",
            ServerUnavailableError,
            "cannot do this now: canceling",
        ),
        ("SELECT pg_terminate_backend(pg_backend_pid())", ServerUnavailableError, "cannot do this now: terminating"),
        ("DO $$ BEGIN RAISE 'closed for today'; END $$", ServerUnavailableError, "refuses: closed for today."),
    ],
)
def test_what_it_refuses(
    settings: Settings, engine: Engine, statement: str, kind: type[ProgressError], told: str
) -> None:
    with pytest.raises(kind, match=told), explained(settings), engine.connect() as connection:
        connection.exec_driver_sql(statement)


def test_a_pool_without_a_free_connection_is_told(settings: Settings, engine: Engine) -> None:
    small = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with (
        small.connect(),
        pytest.raises(ServerUnavailableError, match="No connection to PostgreSQL is free"),
        explained(settings),
    ):
        small.connect()
    small.dispose()


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELEKT 1", {}),
        ("SELECT 1 + 'a'::text", {}),
        ("SELECT :given", {"given": object()}),
        ("SELECT :given", {}),
    ],
    ids=["no SQL", "no operator", "no value", "no parameter"],
)
def test_our_own_mistake_is_no_server_that_does_not_answer(
    settings: Settings, engine: Engine, statement: str, parameters: dict[str, object]
) -> None:
    with (
        pytest.raises((ProgrammingError, StatementError)),
        explained(settings),
        engine.connect() as connection,
    ):
        connection.execute(text(statement), parameters)
