"""What an LMS's own database may look like: its ids, triggers, schemas, types, and what of that is refused at once."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url

from tests.support.catalog import catalog
from tests.support.databases import clone_database, downgrade, drop_database
from tests.support.events import enrolled, entries, viewed
from tests.support.tables import execute, insert_as_lms, rows
from worker.contract.entry import Reason
from worker.database import migrate as migration
from worker.database import own_schema, schema
from worker.database.engine import open_engine
from worker.embedded.state import Servers
from worker.errors import SchemaError
from worker.progress.ingest import ingest
from worker.settings import Settings

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture
def empty(servers: Servers) -> Iterator[str]:
    """The URL of a database without any table."""
    name, url = clone_database(servers.database_url, None)
    yield url
    drop_database(servers.database_url, name)


@pytest.fixture
def lms(empty: str) -> Iterator[Engine]:
    """The worker's engine on it."""
    engine = open_engine(Settings(database_url=empty))
    yield engine
    engine.dispose()


def test_an_event_enrols_where_the_lms_generates_its_ids(lms: Engine) -> None:
    execute(
        lms,
        "CREATE TABLE user_course (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int, course_id int)",
    )
    migration.migrate(lms)
    assert ingest(lms, entries([enrolled(17), viewed(17)])).applied == 2
    assert rows(lms, "SELECT id, current_lesson FROM user_course") == [(17, 1)]


def test_an_event_without_a_time_zone_fits_a_column_that_wants_one(lms: Engine) -> None:
    execute(
        lms,
        "CREATE TABLE user_course (id int PRIMARY KEY, user_id int, course_id int)",
        "ALTER TABLE user_course ADD timezone text NOT NULL DEFAULT 'UTC'",
    )
    migration.migrate(lms)
    assert ingest(lms, entries([enrolled(1)])).rejected == 0
    assert rows(lms, "SELECT timezone FROM user_course") == [("UTC",)]


def test_a_trigger_of_the_lms_that_raises_sets_only_its_entry_aside(engine: Engine) -> None:
    insert_as_lms(engine, 1, 2)
    execute(
        engine,
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'not on a Sunday'; END $$
        """,
        """
        CREATE TRIGGER lms_rule BEFORE INSERT ON user_course_progress FOR EACH ROW
        WHEN (NEW.lesson_id = 13) EXECUTE FUNCTION refuse()
        """,
    )
    outcome = ingest(engine, entries([viewed(1, 1, 1), viewed(1, 1, 13), viewed(2, 1, 1)]))
    assert (outcome.applied, outcome.rejected) == (2, 1)
    assert rows(engine, "SELECT reason, detail FROM dead_letter") == [(Reason.DATA_ERROR, "not on a Sunday")]


def test_the_search_path_of_the_url_is_respected(lms: Engine, empty: str) -> None:
    execute(lms, "CREATE SCHEMA lms", "CREATE TABLE lms.user_course (id int PRIMARY KEY, user_id int, course_id int)")
    url = make_url(empty).update_query_dict({"options": "-c search_path=lms"}).render_as_string(hide_password=False)
    engine = open_engine(Settings(database_url=url))
    migration.migrate(engine)
    engine.dispose()
    found = rows(lms, "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('user_course', 'lesson_event')")
    assert found == [("lms",)]


def test_an_alembic_history_of_the_lms_in_the_same_schema_is_left_alone(lms: Engine) -> None:
    execute(lms, "CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('lms-42')")
    migration.migrate(lms)
    assert rows(lms, "SELECT version_num FROM alembic_version") == [("lms-42",)]
    with lms.connect() as connection:
        schema.check(connection)


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        (
            "id int PRIMARY KEY, user_id int, course_id int, updated_at bigint",
            r"updated_at is bigint; the worker needs timestamp with time zone\. Rename the LMS's column, then migrate",
        ),
        (
            "id uuid PRIMARY KEY, user_id int, course_id int",
            r"id is uuid; the worker needs bigint\. Ids in events are integers",
        ),
        ("id int, user_id int, course_id int", "id has no primary key"),
        (
            "id int PRIMARY KEY, user_id int, course_id int, current_topic int GENERATED ALWAYS AS (1) STORED",
            r"current_topic is computed, .* Rename the LMS's column",
        ),
    ],
)
def test_a_table_that_could_not_take_our_writes_is_refused_before_anything_is_made(
    lms: Engine, columns: str, complaint: str
) -> None:
    execute(lms, f"CREATE TABLE user_course ({columns})")
    with pytest.raises(SchemaError, match=complaint):
        migration.migrate(lms)
    assert rows(lms, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("user_course",)]


OF_ANY_LMS = """
    CREATE TABLE user_course (
        id int PRIMARY KEY, user_id int, course_id int, current_topic int, current_lesson int, current_section smallint,
        created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamp DEFAULT now(), timezone text DEFAULT 'UTC',
        completed boolean, completed_at timestamptz, grade text
    );
    INSERT INTO user_course VALUES (1, 70, 30, 4, 5, 6, '2025-01-01Z', '2025-01-02', 'Asia/Tokyo', true, '2025-01-03Z');
    INSERT INTO user_course (id, user_id, course_id) VALUES (2, 70, 31);
"""


def test_columns_that_mean_the_same_are_used_where_they_are_and_left_with_their_rows(lms: Engine) -> None:
    execute(lms, OF_ANY_LMS)
    before, kept = catalog(lms), rows(lms, "SELECT * FROM user_course ORDER BY id")
    migration.migrate(lms)
    assert ingest(lms, entries([viewed(2, 8, 9), enrolled(3)])).applied == 2
    assert rows(lms, "SELECT current_topic, current_lesson FROM user_course WHERE id < 3 ORDER BY id") == [
        (4, 5),
        (8, 9),
    ]
    downgrade(lms)
    assert catalog(lms) == before
    assert rows(lms, "SELECT * FROM user_course ORDER BY id")[0] == kept[0]


@pytest.mark.parametrize("definition", ["timestamptz DEFAULT now()", "timestamptz", "date"])
def test_columns_of_the_lms_with_our_names_are_said_at_once_until_they_are_renamed(
    lms: Engine, definition: str
) -> None:
    execute(lms, OF_ANY_LMS)
    names = sorted(own_schema.OWN_COLUMNS)
    assert {"enrolled_at", "position_at", "stale_since", "history_from", "position_type"} <= set(names)
    for name in names:
        execute(lms, f"ALTER TABLE user_course ADD {name} {definition}")
    before, kept = catalog(lms), rows(lms, "SELECT * FROM user_course ORDER BY id")
    with pytest.raises(SchemaError, match=rf"needs for its own: {', '.join(names)}\. Rename the LMS's columns"):
        migration.migrate(lms)
    assert catalog(lms) == before
    for name in names:
        execute(lms, f"ALTER TABLE user_course RENAME {name} TO lms_{name}")
    before = catalog(lms)
    migration.migrate(lms)
    assert ingest(lms, entries([enrolled(3), viewed(3)])).applied == 2
    execute(lms, "DELETE FROM user_course WHERE id = 3")
    downgrade(lms)
    assert catalog(lms) == before
    assert rows(lms, "SELECT * FROM user_course ORDER BY id") == kept


def test_operations_md_lists_the_names_that_an_lms_must_not_use() -> None:
    section = " ".join(OPERATIONS.read_text().split("### Beside an LMS's tables")[1].split())
    listed = section.split("must not have columns named")[1].split(": rename")[0]
    assert re.findall(r"`(\w+)`", listed) == sorted(own_schema.OWN_COLUMNS)


def test_a_commit_is_on_disk_whatever_the_database_defaults_to(lms: Engine, empty: str) -> None:
    name = make_url(empty).database
    execute(lms, f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    execute(lms, f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'repeatable read'")
    lms.dispose()
    assert rows(lms, "SHOW synchronous_commit") == [("on",)]
    assert rows(lms, "SHOW transaction_isolation") == [("read committed",)]
