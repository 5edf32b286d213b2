"""PROGRESS_SCHEMA: our tables in a schema of their own, beside an LMS whose tables have the same names."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import Engine, NullPool, create_engine, make_url

from tests.support.api import served
from tests.support.catalog import catalog
from tests.support.commands import invoke
from tests.support.databases import clone_database, downgrade, drop_database, run_alembic
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import TABLES, execute, rows
from worker.database import migrate as migration
from worker.database import schema, search_path
from worker.database.engine import open_engine
from worker.database.models import Base
from worker.database.schema import VERSION_TABLE
from worker.embedded.state import Servers
from worker.errors import SchemaError
from worker.progress.ingest import ingest
from worker.settings import Settings

ROOT = Path(__file__).parents[2]
LMS = """
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TYPE progress_status AS ENUM ('red', 'green');
    CREATE TABLE course (id int PRIMARY KEY, title text NOT NULL, owner_id int REFERENCES users);
    CREATE TABLE course_lesson (id serial PRIMARY KEY, course_id int NOT NULL REFERENCES course, title text);
    CREATE TABLE user_course (
        id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, course_id int NOT NULL REFERENCES course,
        created_at timestamp DEFAULT now(), UNIQUE (user_id, course_id)
    );
    CREATE TABLE alembic_version (version_num text PRIMARY KEY);
    CREATE FUNCTION progress_mark_activity() RETURNS int LANGUAGE sql AS 'SELECT 1';
    INSERT INTO alembic_version VALUES ('lms-42');
    INSERT INTO users VALUES (70, 'Ada');
    INSERT INTO course VALUES (30, 'Logic', 70), (31, 'Rhetoric', 70);
    INSERT INTO course_lesson (course_id, title) VALUES (30, 'Syllogisms');
    INSERT INTO user_course (user_id, course_id) VALUES (70, 30), (70, 31);
"""
EVENTS = [outlined(30, [(1, 1), (1, 2)]), viewed(1, 1, 1), completed(1, 1, 2), viewed(2, 5, 5)]


@pytest.fixture
def lms(servers: Servers) -> Iterator[Engine]:
    """The LMS's own connections to its database."""
    name, url = clone_database(servers.database_url, None)
    engine = create_engine(url, poolclass=NullPool)
    execute(engine, LMS)
    yield engine
    drop_database(servers.database_url, name)


@pytest.fixture
def settings(lms: Engine, servers: Servers) -> Settings:
    """Those of our worker beside that LMS."""
    url = lms.url.render_as_string(hide_password=False)
    return Settings(database_url=url, redis_url=servers.redis_url, database_schema="progress")


@pytest.fixture
def ours(settings: Settings) -> Iterator[Engine]:
    """The worker's engine there."""
    engine = open_engine(settings)
    yield engine
    engine.dispose()


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    named = {"DATABASE_URL": str(settings.database_url), "REDIS_URL": str(settings.redis_url)}
    return os.environ | named | {"PROGRESS_SCHEMA": str(settings.database_schema)} | changes


def alembic(settings: Settings, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env=environment(settings, **changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def tables_of(engine: Engine, name: str) -> set[str]:
    return {table for (table,) in rows(engine, "SELECT tablename FROM pg_tables WHERE schemaname = :name", name=name)}


@pytest.mark.parametrize("name", ["progress", 'Our "Own", pg'])
def test_our_tables_stand_beside_an_lms_and_go_without_a_trace(lms: Engine, settings: Settings, name: str) -> None:
    before, kept = catalog(lms), rows(lms, "SELECT * FROM user_course ORDER BY id")
    settings = settings.model_copy(update={"database_schema": name})
    engine = open_engine(settings)
    migration.migrate(engine)
    assert tables_of(lms, name) == {*TABLES, VERSION_TABLE} - {"user_course"}
    assert tables_of(lms, "public") == {"users", "course", "course_lesson", "user_course", "alembic_version"}
    ingest(engine, entries(EVENTS))
    refresh_all(engine)
    with engine.connect() as connection:
        schema.check(connection)
    run_alembic(engine, command.check)
    assert audited(engine) == []
    assert rows(engine, "SELECT user_course_id, completed_lessons FROM user_course_summary") == [(1, 1), (2, 0)]
    downgrade(engine)
    engine.dispose()
    assert catalog(lms) == before
    assert rows(lms, "SELECT * FROM user_course ORDER BY id") == kept


def test_the_lms_fires_our_triggers_whatever_its_search_path(lms: Engine, ours: Engine) -> None:
    migration.migrate(ours)
    ingest(ours, entries(EVENTS))
    refresh_all(ours)
    execute(
        lms,
        "SET LOCAL search_path = ''",
        "INSERT INTO public.course VALUES (32, 'Grammar', 70)",
        "UPDATE public.user_course SET timezone = 'Asia/Tokyo', course_id = 32 WHERE id = 1",
        "INSERT INTO progress.user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 9, 9)",
    )
    assert rows(ours, "SELECT timezone, by_lms FROM enrollment_event ORDER BY occurred_at")[-1] == ("Asia/Tokyo", True)
    assert rows(ours, "SELECT course_id FROM course_change") == [(30,)]
    execute(lms, "SET LOCAL search_path = ''", "DELETE FROM public.user_course WHERE id = 2")
    replica = "SET LOCAL session_replication_role = replica"
    execute(lms, replica, "SET LOCAL search_path = ''", "DELETE FROM public.user_course WHERE id = 1")
    of_enrollments = {name for name, table in Base.metadata.tables.items() if "user_course_id" in table.columns}
    assert len(of_enrollments) > 10
    assert [name for name in of_enrollments if rows(ours, f"SELECT FROM {name}")] == []


def test_every_door_finds_them(lms: Engine, settings: Settings, ours: Engine) -> None:
    done = alembic(settings, "upgrade", "head")
    assert done.returncode == 0, done.stderr
    ingest(ours, entries(EVENTS))
    for arguments in (["migrate"], ["status"], ["audit"], ["rebuild"], ["summary", "1"], ["learner", "1"]):
        result = invoke(environment(settings), *arguments)
        assert result.exit_code == 0, result.output
    with served(settings) as client:
        assert client.get("/progress/1/1/1").json()["status"] == "in_progress"
        assert client.post("/progress/2/5/5/view").status_code == 200
    assert len(tables_of(lms, "public")) == 5


def test_a_schema_that_others_made_or_that_holds_other_things_stays(lms: Engine, ours: Engine) -> None:
    execute(lms, "CREATE SCHEMA progress")
    before = catalog(lms)
    migration.migrate(ours)
    downgrade(ours)
    assert catalog(lms) == before
    execute(lms, "DROP SCHEMA progress")
    migration.migrate(ours)
    execute(lms, "CREATE VIEW progress.theirs AS SELECT 1 AS one")
    downgrade(ours)
    assert rows(lms, "SELECT one FROM progress.theirs") == [(1,)]
    assert tables_of(lms, "progress") == set()


def test_without_a_table_of_the_lms_ours_is_in_the_schema_too(lms: Engine, ours: Engine) -> None:
    execute(lms, "DROP TABLE user_course")
    migration.migrate(ours)
    assert tables_of(lms, "progress") == {*TABLES, VERSION_TABLE}
    assert ingest(ours, entries([enrolled(1), viewed(1)])).applied == 2


def test_a_user_course_out_of_sight_is_found_and_named(lms: Engine, ours: Engine) -> None:
    execute(lms, "CREATE SCHEMA lms", "ALTER TABLE user_course SET SCHEMA lms")
    before = catalog(lms)
    with pytest.raises(
        SchemaError, match=r"user_course is in the schema lms, .* `ALTER ROLE \w+ SET search_path = lms`"
    ):
        migration.migrate(ours)
    assert catalog(lms) == before
    execute(lms, f'ALTER DATABASE "{lms.url.database}" SET search_path = lms, public')
    ours.dispose()
    migration.migrate(ours)
    assert ingest(ours, entries(EVENTS)).applied == 4
    execute(lms, f'ALTER DATABASE "{lms.url.database}" SET search_path = public')
    ours.dispose()
    with (
        ours.connect() as connection,
        pytest.raises(SchemaError, match="does not find the user_course of the schema lms"),
    ):
        schema.check(connection)


def test_a_role_without_the_rights_is_given_the_command(lms: Engine, settings: Settings, ours: Engine) -> None:
    if rows(lms, "SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreaterole)") == []:
        pytest.skip("the given role may not create roles")
    role = f"plain_{uuid4().hex[:8]}"
    url = lms.url.update_query_dict({"options": f"-c role={role}"}).render_as_string(hide_password=False)
    engine = open_engine(settings.model_copy(update={"database_url": url}))
    execute(lms, f"CREATE ROLE {role}")
    try:
        with pytest.raises(
            SchemaError, match=rf"Run `CREATE SCHEMA progress AUTHORIZATION {role}` as an administrator"
        ):
            migration.migrate(engine)
        execute(lms, "CREATE SCHEMA progress")
        with pytest.raises(SchemaError, match=rf"Run `GRANT USAGE, CREATE ON SCHEMA progress TO {role}` as its owner"):
            migration.migrate(engine)
        assert tables_of(lms, "progress") == set()
        migration.migrate(ours)
        with engine.connect() as connection, pytest.raises(SchemaError, match="lacks rights: permission denied for"):
            schema.check(connection)
        owner = rows(lms, "SELECT quote_ident(current_user)")[0][0]
        with pytest.raises(SchemaError, match=f"belong to the role {owner}, .* Migrate, up or down, as {owner}"):
            downgrade(engine)
    finally:
        engine.dispose()
        execute(lms, f"DROP ROLE {role}")


def test_tables_of_another_schema_are_not_taken_for_ours(lms: Engine, ours: Engine) -> None:
    execute(lms, "DROP TABLE course_lesson, user_course, course", "DROP TYPE progress_status")
    execute(lms, "DROP FUNCTION progress_mark_activity()")
    migration.migrate(lms)
    with ours.connect() as connection, pytest.raises(SchemaError, match="The schema progress of the database has no"):
        schema.check(connection)
    with pytest.raises(SchemaError, match=r"The schema public has our tables .* Set PROGRESS_SCHEMA=public\."):
        migration.migrate(ours)
    assert tables_of(lms, "progress") == set()


@pytest.mark.parametrize("other", [None, "other"])
def test_a_second_installation_is_refused_with_the_setting_of_the_first(
    lms: Engine, settings: Settings, ours: Engine, other: str | None
) -> None:
    migration.migrate(ours)
    before = catalog(lms)
    second = open_engine(settings.model_copy(update={"database_schema": other}))
    with pytest.raises(SchemaError, match=r"The schema progress has our tables .* Set PROGRESS_SCHEMA=progress\."):
        migration.migrate(second)
    second.dispose()
    assert catalog(lms) == before


def test_a_name_that_is_taken_in_the_schema_that_was_set_is_said_with_another_schema(
    lms: Engine, settings: Settings
) -> None:
    execute(lms, "DROP TYPE progress_status")
    said = refused(settings, PROGRESS_SCHEMA="public")
    assert 'relation "course" already exists. Set PROGRESS_SCHEMA to a schema where it is free' in said
    execute(lms, "CREATE INDEX ix_user_course_user_id_id ON user_course (user_id)")
    assert 'relation "ix_user_course_user_id_id" already exists. Rename' in refused(settings, PROGRESS_SCHEMA="own")


def test_the_path_of_the_url_follows_and_comes_back_after_each_transaction(settings: Settings) -> None:
    url = make_url(str(settings.database_url)).update_query_dict({"options": "-c search_path=elsewhere,public"})
    engine = open_engine(settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)}))
    search_path.put_first(engine, "progress")  # again on one session, as behind PgBouncer
    assert rows(engine, "SHOW search_path") == [("progress, elsewhere,public",)]
    execute(engine, "SET LOCAL search_path = other")
    assert rows(engine, "SHOW search_path") == [("progress, elsewhere,public",)]
    engine.dispose()


# ---- Without it ----------------------------------------------------------------------------------------------------


def refused(settings: Settings, *, everywhere: bool = False, **changes: str) -> str:
    """What both commands say, which is one sentence."""
    answers = invoke(environment(settings, **{"PROGRESS_SCHEMA": "", **changes}), "migrate")
    assert answers.exit_code == 1
    if everywhere:
        its = alembic(settings, "upgrade", "head", PROGRESS_SCHEMA="")
        assert its.returncode != 0
        assert "Traceback" not in its.stderr
        assert (
            answers.stderr.strip().removeprefix("Error: The database stays at no tables: ") in its.stderr + its.stdout
        )
    return answers.stderr


def test_a_table_of_that_name_is_named_and_nothing_is_made(lms: Engine, settings: Settings) -> None:
    execute(lms, "DROP TYPE progress_status")
    before = catalog(lms)
    said = refused(settings, everywhere=True)
    assert 'A name that the worker needs is taken: relation "course" already exists. Set PROGRESS_SCHEMA' in said
    assert catalog(lms) == before


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("CREATE VIEW course AS SELECT 1 AS one", 'relation "course" already exists. Set PROGRESS_SCHEMA'),
        ("CREATE TYPE dead_letter AS ENUM ('unread')", 'type "dead_letter" already exists. Set PROGRESS_SCHEMA'),
        ("CREATE SEQUENCE course_lesson", 'relation "course_lesson" already exists. Set PROGRESS_SCHEMA'),
        ("CREATE TYPE progress_status AS ENUM ('red')", 'type "progress_status" already exists. Set PROGRESS_SCHEMA'),
        (
            "CREATE INDEX ix_user_course_course_id_id ON users (id)",
            '"ix_user_course_course_id_id" already exists. Rename',
        ),
        (
            "CREATE FUNCTION progress_mark_activity() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            'function "progress_mark_activity" already exists with same argument types. Set PROGRESS_SCHEMA',
        ),
        ("ALTER TABLE user_course ADD history_from text", "needs for its own: history_from. Rename the LMS's"),
        ("ALTER TABLE user_course DROP course_id", "user_course has no column course_id"),
        ("ALTER TABLE user_course RENAME TO theirs; CREATE VIEW user_course AS TABLE theirs", "user_course is a view"),
    ],
)
def test_any_name_that_is_taken_is_said(lms: Engine, settings: Settings, statement: str, complaint: str) -> None:
    execute(lms, "DROP TABLE course_lesson, course CASCADE", "DROP TYPE progress_status")
    execute(lms, "DROP FUNCTION progress_mark_activity()", statement)
    before = catalog(lms)
    assert complaint in refused(settings)
    assert catalog(lms) == before
