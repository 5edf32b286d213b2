"""Whatever the database, the role or the environment default to, a text and a number mean the same to this project."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from tests.support.api import served
from tests.support.commands import invoke, run
from tests.support.databases import clone_database, drop_database
from tests.support.events import completed, enrolled, entries
from tests.support.tables import rows
from worker.database.engine import open_engine
from worker.embedded.state import Servers
from worker.progress.ingest import ingest
from worker.settings import Settings

ODD = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kolkata",
    "timezone_abbreviations": "Australia",
    "extra_float_digits": "-10",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "client_encoding": "LATIN1",
}
FOUND = """
    SELECT '2025-07-14 10:30:00+02'::timestamptz, interval '1 day 2 hours', 1.0::float8 / 3, '\\000x'::bytea,
           'a\\b' || 'é', '{NULL}'::text[] = ARRAY[NULL]::text[], (SELECT NULL::int = NULL),
           extract(hour FROM timestamptz '2025-07-14 10:30 EST' AT TIME ZONE 'UTC')::int
"""
MEANT = (
    datetime(2025, 7, 14, 8, 30, tzinfo=UTC),
    timedelta(days=1, hours=2),
    1 / 3,
    b"\0x",
    "a\\b\u00e9",
    True,
    None,
    15,
)


@pytest.fixture
def given(settings: Settings) -> Callable[[str], None]:
    """Make the settings of ODD the defaults of this test's database, or of the role in it."""
    name = make_url(str(settings.database_url)).database

    def give(target: str) -> None:
        engine = create_engine(str(settings.database_url))
        with engine.begin() as connection:
            for each, value in ODD.items():
                connection.execute(text(f"ALTER {target.format(name=name)} SET {each} = '{value}'"))
        engine.dispose()

    return give


def assert_meant(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.exec_driver_sql(FOUND).one()
    assert tuple(found) == MEANT
    assert found[0].utcoffset() == timedelta(0)


@pytest.mark.parametrize("target", ['DATABASE "{name}"', 'ROLE CURRENT_USER IN DATABASE "{name}"'])
def test_the_defaults_of_database_and_role_change_nothing(
    settings: Settings, environment: dict[str, str], given: Callable[[str], None], target: str
) -> None:
    given(target)
    engine = open_engine(settings)
    ingest(engine, entries([enrolled(1), completed(1, 1, 1)]))
    assert_meant(engine)
    engine.dispose()
    for command in (["migrate"], ["summary", "1"], ["status"], ["audit"], ["learner", "1"]):
        result = invoke(environment, *command)
        assert result.exit_code == 0, result.output
    with served(settings) as client:
        assert client.get("/progress/course/1/summary").status_code == 200
        assert client.get("/progress/1/1/1").json()["completed_at"].endswith("Z")


@pytest.mark.parametrize(
    "environment_variables",
    [
        {"PGDATESTYLE": "German", "PGTZ": "Asia/Kolkata", "PGCLIENTENCODING": "LATIN1"},
        {"PGOPTIONS": "-c datestyle=German -c intervalstyle=iso_8601 -c extra_float_digits=-10 -c timezone=CET"},
    ],
    ids=["variables", "options"],
)
def test_the_environment_changes_nothing(
    settings: Settings,
    environment: dict[str, str],
    environment_variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment_variables.items():
        monkeypatch.setenv(name, value)
    engine = open_engine(settings)
    ingest(engine, entries([enrolled(1), completed(1, 1, 1)]))
    assert_meant(engine)
    engine.dispose()
    with served(settings) as client:
        assert client.get("/progress/1/1/1").json()["completed_at"].endswith("Z")
    assert run({**environment, **environment_variables}, "summary", "1").returncode == 0


def test_options_of_the_url_change_no_meaning_and_may_say_where_the_tables_are(settings: Settings) -> None:
    url = make_url(str(settings.database_url)).update_query_dict(
        {"options": "-c datestyle=German -c search_path=elsewhere", "client_encoding": "latin1"}
    )
    engine = open_engine(settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)}))
    assert_meant(engine)
    assert rows(engine, "SHOW search_path") == [("elsewhere",)]
    engine.dispose()


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def other_encoding(servers: Servers, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The encoding and the URL of an empty database."""
    name, url = clone_database(
        servers.database_url,
        "template0",
        options=f"ENCODING '{request.param}' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc",
    )
    yield request.param, url
    drop_database(servers.database_url, name)


def test_a_database_that_is_not_utf_8_is_refused_in_a_sentence(
    other_encoding: tuple[str, str], servers: Servers
) -> None:
    encoding, url = other_encoding
    told = f"The database's encoding is {encoding}, and events are UTF-8. Use a database made with ENCODING 'UTF8'"
    migrated = invoke({"DATABASE_URL": url}, "migrate")
    assert (migrated.exit_code, told in migrated.stderr) == (1, True)
    ready = invoke({"DATABASE_URL": url, "REDIS_URL": servers.redis_url}, "health", "ready")
    assert (ready.exit_code, f"PostgreSQL: {told}" in ready.stdout) == (1, True)
    engine = create_engine(url, connect_args={"client_encoding": "UTF8"})
    assert rows(engine, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    engine.dispose()
