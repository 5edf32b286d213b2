"""The rights that docs/how-to/tls-and-least-rights.md grants suffice for worker, API and commands, and nothing beyond.

Every role and right here is made by the very SQL of that document.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from sqlalchemy import Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import ProgrammingError

from tests.support import oulad
from tests.support.api import served
from tests.support.catalog import catalog
from tests.support.commands import invoke
from tests.support.databases import clone_database, downgrade, drop_database
from tests.support.events import corrected, enrolled, viewed
from tests.support.rollups import BEHIND, audited
from tests.support.system import System
from tests.support.tables import TABLES, execute, rows
from tests.support.wait import wait_until
from worker.database import migrate as migration
from worker.database import search_path
from worker.progress.retention import delete_expired
from worker.settings import Settings
from worker.streams.connection import Redis

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "tls-and-least-rights.md"
ROLES = ("lms", "progress_owner", "progress_worker")
PASSWORD = "change-me"  # noqa: S105 - the document's
PERMISSION_DENIED = "42501"
in_either = pytest.mark.parametrize("roles", [None, "progress"], indirect=True, ids=["public", "progress"])
BESIDE = [
    "CREATE TABLE users (id bigint PRIMARY KEY)",
    "CREATE TABLE course (id bigint PRIMARY KEY, owner_id bigint REFERENCES users)",
    "CREATE TABLE course_lesson (id bigint PRIMARY KEY, course_id bigint REFERENCES course)",
    """
    CREATE TABLE user_course (
        id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, course_id bigint NOT NULL REFERENCES course
    )
    """,
    "INSERT INTO users VALUES (7), (8)",
    "INSERT INTO course VALUES (3, 7), (4, 7)",
    "INSERT INTO course_lesson VALUES (1, 3)",
]
"""An LMS whose tables have names of ours."""
BEYOND = [
    *(f"{verb} {table}" for table in TABLES for verb in ("DROP TABLE", "TRUNCATE")),
    *(f"ALTER TABLE {table} ADD COLUMN more int" for table in TABLES),
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "DROP TRIGGER progress_deleted_lesson_events ON user_course",
    "ALTER TABLE user_course DISABLE TRIGGER ALL",
    "DELETE FROM user_course",
    "DELETE FROM user_course_progress",
    "UPDATE lesson_event SET occurred_at = now()",
    "UPDATE progress_alembic_version SET version_num = ''",
    "SELECT * FROM lms_user",
    "UPDATE lms_user SET name = ''",
    "SELECT pg_read_file('/etc/hostname')",
    "COPY course TO PROGRAM 'true'",
    "SET ROLE progress_owner",
    "ALTER ROLE progress_worker SUPERUSER",
]


def documented() -> list[list[str]]:
    """The statements of each SQL block in the document: the administrator's, and the owner's after a migration."""
    blocks = re.findall(r"^```sql\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [[each.strip() for each in re.sub(r"--.*", "", block).split(";") if each.strip()] for block in blocks]


@pytest.fixture
def roles(settings: Settings, request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    """A database with an LMS's tables and ours, and an engine of each role, by the document's names.

    The parameter is the schema of our tables; without one they are among the LMS's.
    """
    schema: str | None = getattr(request, "param", None)
    administrator = create_engine(str(settings.database_url), poolclass=NullPool)
    if rows(administrator, "SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreaterole)") == []:
        pytest.skip("the given role may not create roles")
    end = f"_{uuid4().hex[:8]}"

    def renamed(statement: str) -> str:
        return re.sub(rf"\b({'|'.join(ROLES)})\b", rf"\1{end}", statement)

    name, url = clone_database(str(settings.database_url), None)
    found = SimpleNamespace(renamed=renamed, schema=schema, administrator=create_engine(url, poolclass=NullPool))
    for role in ROLES:
        its = make_url(url).set(username=role + end, password=PASSWORD)
        setattr(found, role, create_engine(its, poolclass=NullPool))
        search_path.put_first(getattr(found, role), None if role == "lms" else schema)
    administer, create_schema, grant = documented()
    execute(
        found.administrator,
        renamed(f"CREATE ROLE lms LOGIN PASSWORD '{PASSWORD}'"),
        renamed("GRANT CREATE ON SCHEMA public TO lms"),
        *map(renamed, administer),
        *map(renamed, create_schema if schema else []),
    )
    execute(
        found.lms,
        *(BESIDE if schema else ["CREATE TABLE user_course (id bigint PRIMARY KEY, user_id bigint, course_id bigint)"]),
        "CREATE TABLE lms_user (name text)",
        renamed("GRANT SELECT, INSERT, UPDATE ON user_course TO progress_worker"),
    )
    found.before = catalog(found.administrator)
    migration.migrate(found.progress_owner)
    execute(found.progress_owner, *map(renamed, grant))
    yield found
    drop_database(url=str(settings.database_url), name=name)
    execute(administrator, *(f"DROP ROLE {role}{end}" for role in ROLES))


@pytest.fixture
def restricted(settings: Settings, roles: SimpleNamespace, redis: Redis, tmp_path: Path) -> Iterator[System]:
    """A system all of whose processes, and what this test looks with, connect as `progress_worker`."""
    url = roles.progress_worker.url.render_as_string(hide_password=False)
    changes = {"database_url": url, "database_schema": roles.schema}
    system = System(settings.model_copy(update=changes), redis, tmp_path)
    yield system
    system.close()


def refusal(engine: Engine, statement: str) -> str | None:
    """The SQLSTATE of PostgreSQL's refusal."""
    try:
        execute(engine, statement)
    except ProgrammingError as error:
        return str(getattr(error.orig, "sqlstate", error))
    return None


def succeeded(system: System, *arguments: str) -> str:
    result = invoke(system.environment(), *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_lms_tells_a_time_zone_without_rights_on_our_tables(roles: SimpleNamespace) -> None:
    execute(
        roles.lms,
        "INSERT INTO user_course (id, user_id, course_id) VALUES (1, 7, 3)",
        "UPDATE user_course SET timezone = 'Asia/Tokyo'",
    )
    assert refusal(roles.lms, "SELECT FROM enrollment_event") == PERMISSION_DENIED
    told = rows(roles.progress_worker, "SELECT timezone, by_lms FROM enrollment_event ORDER BY occurred_at")
    assert told == [(None, True), ("Asia/Tokyo", True)]


@pytest.mark.second_tier
@in_either
def test_a_worker_and_every_command_need_no_more(restricted: System, roles: SimpleNamespace) -> None:
    if roles.schema:  # the simulated learners are none of the LMS's
        keys = [f"DROP CONSTRAINT user_course_{name}_id_fkey" for name in ("user", "course")]
        execute(roles.lms, f"ALTER TABLE user_course {', '.join(keys)}")
    system, lines = restricted, oulad.generate(3_000)
    events = [*oulad.parse(lines), enrolled(900), corrected(900, 1, 1, seconds=9), viewed(900), viewed(900, 1, 2)]
    system.publish_bodies([*lines, b"broken"])
    system.publish(reversed(events[-4:]))
    system.start_worker(2)
    system.start_beat()
    system.assert_exact(events, rejected={"invalid_json": 1})
    wait_until(lambda: rows(system.engine, BEHIND) == [(False,)], 20, "the rollups")
    for command in (
        ["status"],
        ["metrics"],
        ["summary", "900"],
        ["learner", "900"],
        ["overview", "1"],
        ["health", "ready"],
        ["dead-letters", "list"],
    ):
        succeeded(system, *command)
    assert "still refused: 1" in succeeded(system, "dead-letters", "redrive", "--all")
    execute(roles.progress_owner, "UPDATE user_course_progress SET status = 'not_started'")
    assert audited(system.engine) != []
    succeeded(system, "rebuild")
    system.assert_exact(events, rejected={"invalid_json": 1})
    orphan = "INSERT INTO lesson_event (user_course_id, event_id, occurred_at, type, topic_id, lesson_id)"
    execute(roles.progress_owner, f"{orphan} VALUES (999, gen_random_uuid(), now(), 'viewed', 1, 1)")
    succeeded(system, "rebuild")
    assert rows(system.engine, "SELECT FROM lesson_event WHERE user_course_id = 999") == []
    succeeded(system, "void", events[-1].event_id, "--enrollment", "900")
    succeeded(system, "rebuild")
    with served(system.settings) as client:
        assert client.post("/progress/900/1/5/view").status_code == 200
        assert client.get("/progress/course/900/summary").status_code == 200
        assert client.get("/analytics/learner/900").status_code == 200
        assert client.get("/readyz").status_code == 200
    deleted = 0

    def all_deleted() -> bool:
        nonlocal deleted
        deleted += delete_expired(system.engine, 0)  # leaves those that a refresh has locked to the next run
        return deleted > 3_000

    wait_until(all_deleted, 20, "the deletion of every event")


@in_either
def test_it_may_do_nothing_else(roles: SimpleNamespace) -> None:
    answers = {statement: refusal(roles.progress_worker, roles.renamed(statement)) for statement in BEYOND}
    assert answers == dict.fromkeys(BEYOND, PERMISSION_DENIED)


@in_either
def test_an_lms_writes_its_own_table_and_the_triggers_write_ours(restricted: System, roles: SimpleNamespace) -> None:
    lms: Engine = roles.lms
    execute(lms, "INSERT INTO user_course (id, user_id, course_id) VALUES (1, 7, 3), (2, 8, 3)")
    events = [viewed(1), viewed(2)]
    restricted.publish(events)
    restricted.start_worker(2)
    restricted.start_beat()
    wait_until(lambda: restricted.recorded() == 2, 20, "the rows")
    execute(lms, "UPDATE user_course SET course_id = 4 WHERE id = 2", "DELETE FROM user_course WHERE id = 1")
    assert rows(restricted.engine, "SELECT DISTINCT user_course_id FROM lesson_event") == [(2,)]
    wait_until(lambda: rows(restricted.engine, BEHIND) == [(False,)], 20, "the rollups")
    assert json.loads(succeeded(restricted, "summary", "2", "--json"))
    assert audited(restricted.engine) == []
    with pytest.raises(ProgrammingError, match="permission denied"):
        execute(lms, f"DELETE FROM {roles.schema or 'public'}.lesson_event")
    restricted.close()
    downgrade(roles.progress_owner)
    assert catalog(roles.administrator) == roles.before
    assert rows(lms, "SELECT * FROM user_course") == [(2, 8, 4)]
