"""Migrations: up, down and up again; a `user_course` that an LMS owns is completed and given back as it was."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, NullPool, create_engine, inspect

from tests.support.databases import clone_database, downgrade, drop_database, run_alembic
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.rollups import audited, refresh_all
from tests.support.tables import TABLES, execute, insert_as_lms, rows
from worker.contract.event import Event
from worker.database import migrate as migration
from worker.database import models, schema
from worker.embedded.state import Servers
from worker.errors import SchemaError
from worker.progress.ingest import ingest
from worker.summary.read import get_summary

MIGRATIONS = Path(__file__).parents[2] / "migrations"
LMS_TABLE = """
    CREATE TABLE user_course (
        id serial PRIMARY KEY, user_id int NOT NULL, course_id int NOT NULL, grade text DEFAULT 'A',
        created_at timestamp
    )
"""
COLUMNS = """
    SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = :table ORDER BY ordinal_position
"""
FUNCTIONS = """
    SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1
"""
TRIGGERS = """
    SELECT tgname, pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = 'public'::regnamespace AND NOT tgisinternal ORDER BY 1
"""
BEFORE_SUMMARIES = "d8a26c3f1b94"
BEFORE_DIGESTS = "c8d15f3e6a20"
BEFORE_ENROLLMENT_EVENTS = "f3b82d5c9a14"
BEFORE_RESUMING = "a1c4e7092b6d"
of_either = pytest.mark.parametrize("table", [LMS_TABLE, None], ids=["of the LMS", "of ours"])
STALE = "SELECT id FROM user_course WHERE stale_since IS NOT NULL ORDER BY id"


@pytest.fixture
def empty(servers: Servers) -> Iterator[Engine]:
    """A database without any table."""
    name, url = clone_database(servers.database_url, None)
    engine = create_engine(url, poolclass=NullPool)
    yield engine
    engine.dispose()
    drop_database(servers.database_url, name)


def upgrade(engine: Engine, revision: str) -> None:
    run_alembic(engine, command.upgrade, revision)


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {schema.VERSION_TABLE}


def shape(engine: Engine) -> dict[str, object]:
    """Columns, constraints, indexes and triggers of every table, the types and the functions."""
    found: dict[str, object] = {table: rows(engine, COLUMNS, table=table) for table in sorted(tables(engine))}
    found["constraints"] = rows(
        engine,
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    )
    found["indexes"] = rows(engine, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
    found["enums"] = rows(engine, "SELECT enumtypid::regtype::text, enumlabel FROM pg_enum ORDER BY 1, enumsortorder")
    found["functions"] = rows(engine, FUNCTIONS)
    found["triggers"] = rows(engine, TRIGGERS)
    found["options"] = rows(engine, "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL ORDER BY 1")
    return found


def test_up_down_and_up_again_leads_to_the_same(empty: Engine) -> None:
    assert migration.migrate(empty) == (None, schema.REVISIONS[-1])
    first = shape(empty)
    assert tables(empty) >= set(TABLES)
    downgrade(empty)
    assert tables(empty) == set()
    assert rows(empty, "SELECT typname FROM pg_type WHERE typtype = 'e'") == []
    assert rows(empty, FUNCTIONS) == []
    migration.migrate(empty)
    assert shape(empty) == first


def test_every_migration_can_be_taken_back_alone(empty: Engine) -> None:
    migration.migrate(empty)
    whole = shape(empty)
    for _ in schema.REVISIONS:
        downgrade(empty, "-1")
    assert tables(empty) == set()
    migration.migrate(empty)
    assert shape(empty) == whole


def test_migrating_again_changes_nothing(empty: Engine) -> None:
    migration.migrate(empty)
    before = shape(empty)
    migration.migrate(empty)
    assert shape(empty) == before


def test_two_migrations_at_once_wait_for_each_other(empty: Engine) -> None:
    code = """
import sys
from sqlalchemy import create_engine
from worker.database import migrate as migration
migration.migrate(create_engine(sys.argv[1]))
"""
    command_line = [sys.executable, "-c", code, empty.url.render_as_string(hide_password=False)]
    processes = [
        subprocess.Popen(command_line, cwd=MIGRATIONS.parent, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = [(process.communicate(timeout=30)[1], process.returncode) for process in processes]
    assert answers == [("", 0)] * 3
    assert tables(empty) >= set(TABLES)


def test_the_tables_are_those_of_the_models(empty: Engine) -> None:
    migration.migrate(empty)
    assert tables(empty) == set(models.Base.metadata.tables)
    for name, table in models.Base.metadata.tables.items():
        assert {column["name"] for column in inspect(empty).get_columns(name)} == set(table.columns.keys())


def test_the_revisions_listed_are_those_of_the_folder() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    in_folder = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(in_folder)) == schema.REVISIONS
    assert (MIGRATIONS / "versions" / "b32e785910da_add_user_course_progress_table.py").exists()


def test_a_table_of_the_lms_is_completed_and_its_rows_stay(empty: Engine) -> None:
    execute(empty, LMS_TABLE, "INSERT INTO user_course (user_id, course_id, grade) VALUES (70, 30, 'B')")
    migration.migrate(empty)
    assert rows(empty, "SELECT id, user_id, course_id, grade FROM user_course") == [(1, 70, 30, "B")]
    columns = {row[0] for row in rows(empty, COLUMNS, table="user_course")}
    assert columns >= {"current_topic", "current_lesson", "current_section", "created_at", "updated_at", "grade"}


def test_an_lms_goes_on_inserting_as_before(empty: Engine) -> None:
    execute(empty, LMS_TABLE)
    migration.migrate(empty)
    execute(empty, "INSERT INTO user_course (user_id, course_id) VALUES (70, 30)")
    assert rows(empty, "SELECT id, current_topic FROM user_course") == [(1, None)]


def test_a_table_of_ours_takes_an_insert_of_three_columns(empty: Engine) -> None:
    migration.migrate(empty)
    insert_as_lms(empty, 1)
    assert rows(empty, "SELECT created_at IS NOT NULL, updated_at IS NOT NULL FROM user_course") == [(True, True)]


def test_events_work_on_a_table_of_the_lms(empty: Engine) -> None:
    execute(empty, LMS_TABLE)
    migration.migrate(empty)
    execute(empty, "INSERT INTO user_course (user_id, course_id) VALUES (70, 30)")
    events: list[Event] = [viewed(1, section_id=2), completed(1, 1, 2), enrolled(2), viewed(2), viewed(3)]
    ingest(empty, entries(events))
    assert_tables_equal_model(empty, events, lms_rows={1: (70, 30)})


def test_taking_the_migrations_back_leaves_the_lms_its_table_as_it_was(empty: Engine) -> None:
    execute(empty, LMS_TABLE, "INSERT INTO user_course (user_id, course_id) VALUES (70, 30)")
    before = rows(empty, COLUMNS, table="user_course")
    migration.migrate(empty)
    downgrade(empty)
    assert tables(empty) == {"user_course"}
    assert rows(empty, COLUMNS, table="user_course") == before
    assert rows(empty, "SELECT id, user_id, grade FROM user_course") == [(1, 70, "A")]
    migration.migrate(empty)
    assert tables(empty) >= set(TABLES)


@of_either
def test_taking_migrations_back_leaves_what_was_there_before_it(empty: Engine, table: str | None) -> None:
    if table:
        execute(empty, table)
    upgrade(empty, BEFORE_SUMMARIES)
    insert = "INSERT INTO user_course (id, user_id, course_id) VALUES (1, 70, 30), (2, 71, 30)"
    execute(empty, insert)
    before, known = shape(empty), rows(empty, "SELECT * FROM user_course ORDER BY id")
    migration.migrate(empty)
    assert (len(rows(empty, FUNCTIONS)), len(rows(empty, TRIGGERS))) == (9, 9)
    downgrade(empty, BEFORE_SUMMARIES)
    assert shape(empty) == before
    assert rows(empty, "SELECT * FROM user_course ORDER BY id") == known
    execute(empty, "UPDATE user_course SET course_id = 31 WHERE id = 1", "DELETE FROM user_course WHERE id = 2")


@of_either
def test_every_enrollment_becomes_stale_without_being_written(empty: Engine, table: str | None) -> None:
    if table:
        execute(empty, table)
    upgrade(empty, BEFORE_SUMMARIES)
    execute(empty, "INSERT INTO user_course (id, user_id, course_id) SELECT n, n, 30 FROM generate_series(1, 300) n")
    written = """
        SELECT pg_relation_filenode('user_course'), pg_relation_size('user_course'), xmin::text, ctid::text, id
        FROM user_course ORDER BY id
    """
    before = rows(empty, written)
    migration.migrate(empty)
    assert rows(empty, written) == before
    assert rows(empty, STALE) == [(number,) for number in range(1, 301)]


def test_what_was_recorded_before_the_last_migration_gets_its_rollups(empty: Engine) -> None:
    upgrade(empty, BEFORE_SUMMARIES)
    execute(
        empty,
        "INSERT INTO user_course (id, user_id, course_id) VALUES (1, 7, 3), (2, 7, 3)",
        """
        INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status)
        VALUES (1, 1, 1, 'completed'), (2, 1, 2, 'in_progress')
        """,
    )
    migration.migrate(empty)
    refresh_all(empty)
    assert rows(empty, "SELECT user_course_id, completed_lessons FROM user_course_summary ORDER BY 1") == [
        (1, 1),
        (2, 0),
    ]
    assert rows(empty, "SELECT enrollments, started, completed FROM course_statistics") == [(2, 2, 0)]


def test_summaries_by_the_rules_before_are_all_computed_again(empty: Engine) -> None:
    """Of enrollment 1 in a course with an outline, of 2 in one without; each has a lesson open."""
    migration.migrate(empty)
    ingest(empty, entries([outlined(3, [(1, 1), (1, 2)]), enrolled(1), viewed(1), enrolled(2, course_id=4), viewed(2)]))
    refresh_all(empty)
    downgrade(empty, BEFORE_RESUMING)
    told = "UPDATE user_course_summary SET next_lesson_id = 7, next_reason = 'after_current'"
    version = "UPDATE user_course_summary SET outline_version = version FROM course WHERE course.id = course_id"
    execute(empty, told, version, "UPDATE course SET stale_since = NULL", "DELETE FROM enrollment_change")
    migration.migrate(empty)
    assert [get_summary(empty, key).summary.next_lesson_id for key in (1, 2)] == [1, 1]
    refresh_all(empty)
    assert rows(empty, "SELECT next_lesson_id, next_reason FROM user_course_summary") == [(1, "current")] * 2
    assert audited(empty) == []


@of_either
def test_an_enrollment_that_the_lms_inserts_later_is_stale_from_the_beginning(empty: Engine, table: str | None) -> None:
    if table:
        execute(empty, table)
    migration.migrate(empty)
    insert_as_lms(empty, 1)
    refresh_all(empty)
    assert rows(empty, STALE) == []
    insert_as_lms(empty, 2)
    assert rows(empty, STALE) == [(2,)]


def test_an_installation_that_took_the_enrolled_at_of_the_lms_for_its_own_is_upgraded(empty: Engine) -> None:
    execute(empty, LMS_TABLE)
    upgrade(empty, BEFORE_ENROLLMENT_EVENTS)
    of_the_lms = "ALTER TABLE user_course DROP enrolled_at, ADD enrolled_at timestamptz DEFAULT now()"
    execute(empty, of_the_lms, "INSERT INTO user_course (user_id, course_id) VALUES (70, 30)")
    event_id = "UPDATE user_course SET enrolled_event_id = gen_random_uuid() WHERE id = 2"
    execute(empty, "INSERT INTO user_course (user_id, course_id) VALUES (71, 30)", event_id)
    upgrade(empty, "head")
    assert rows(empty, "SELECT user_course_id, user_id FROM enrollment_event") == [(2, 71)]


@pytest.mark.parametrize("missing", ["user_id", "course_id", "id"])
def test_a_table_without_what_we_need_is_refused_and_left_as_it_was(empty: Engine, missing: str) -> None:
    columns = [f"{name} int" for name in ("id", "user_id", "course_id", "other") if name != missing]
    execute(empty, f"CREATE TABLE user_course ({', '.join(columns)})")
    with pytest.raises(Exception, match=f"user_course has no column {missing}") as caught:
        migration.migrate(empty)
    assert type(caught.value).__name__ in {"RuntimeError", "SchemaError"}
    assert tables(empty) == {"user_course"}
    assert len(rows(empty, COLUMNS, table="user_course")) == 3


def test_letters_that_only_their_bytes_tell_apart_are_not_thrown_away_by_a_downgrade(empty: Engine) -> None:
    migration.migrate(empty)
    letter = "INSERT INTO dead_letter (stream, entry_id, reason, detail, body) VALUES ('s', '1-1', 'x', 'x', '{}')"
    execute(empty, letter.format("one"), letter.format("two"))
    with pytest.raises(SchemaError, match=r"1 dead letters share stream and entry id .* Redrive or delete"):
        downgrade(empty, BEFORE_DIGESTS)
    execute(empty, "DELETE FROM dead_letter WHERE body = 'two'")
    downgrade(empty, BEFORE_DIGESTS)
    upgrade(empty, "head")
    assert rows(empty, "SELECT body, body_digest = sha256(body) FROM dead_letter") == [(b"one", True)]
