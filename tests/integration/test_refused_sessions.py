"""A session keeps the defaults of its role and database: after a refusal the next attempt has a new one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tests.support.events import entries, viewed
from tests.support.hosts import RecordingHost
from tests.support.tables import execute, insert_as_lms, rows
from worker.client import EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.database import schema
from worker.errors import SchemaError
from worker.progress.ingest import ingest
from worker.service import open_progress_service
from worker.settings import Settings

READ_ONLY = "default_transaction_read_only = on"
NOWHERE = "search_path = nowhere"
MAINTENANCE = "lms.maintenance = on"

REFUSING_TRIGGER = (
    """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('lms.maintenance', true) = 'on' THEN RAISE EXCEPTION 'maintenance'; END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER refuse BEFORE INSERT ON lesson_event FOR EACH ROW EXECUTE FUNCTION refuse()",
)


@contextmanager
def default(engine: Engine, whose: str, setting: str) -> Iterator[None]:
    """The default of this database, or of the role in it alone, is changed; open sessions are left as they are."""
    of = whose.format(name=engine.url.database)
    execute(engine, f"ALTER {of} SET {setting}")
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ WRITE")
        connection.exec_driver_sql(f"ALTER {of} RESET {setting.partition(' ')[0]}")


@pytest.mark.parametrize(
    ("whose", "setting"),
    [
        ('DATABASE "{name}"', READ_ONLY),
        ('ROLE CURRENT_USER IN DATABASE "{name}"', READ_ONLY),
        ('ROLE CURRENT_USER IN DATABASE "{name}"', NOWHERE),
    ],
    ids=["read-only database", "read-only role", "tables out of sight"],
)
def test_what_was_refused_is_recorded_after_the_default_is_reset(
    engine: Engine, consumer: Consumer, whose: str, setting: str
) -> None:
    insert_as_lms(engine, 1)
    with default(engine, whose, setting):
        for _ in range(2):
            with pytest.raises(DBAPIError):
                ingest(consumer.engine, entries([viewed(1)]))
    assert ingest(consumer.engine, entries([viewed(1)])).applied == 1


@pytest.mark.parametrize("setting", [READ_ONLY, NOWHERE], ids=["read-only", "tables out of sight"])
def test_a_check_of_the_tables_sees_the_default_reset(engine: Engine, consumer: Consumer, setting: str) -> None:
    with (
        default(engine, 'DATABASE "{name}"', setting),
        pytest.raises(SchemaError),
        consumer.engine.connect() as refused,
    ):
        schema.check(refused)
    with consumer.engine.connect() as connection:
        schema.check(connection)


@pytest.mark.parametrize(
    "setting", [READ_ONLY, NOWHERE, MAINTENANCE], ids=["read-only", "tables out of sight", "maintenance"]
)
def test_a_drain_goes_on_with_the_sessions_of_its_consumer(engine: Engine, consumer: Consumer, setting: str) -> None:
    insert_as_lms(engine, 1)
    if setting == MAINTENANCE:
        execute(engine, *REFUSING_TRIGGER)
    with default(engine, 'DATABASE "{name}"', setting):
        EventPublisher(settings=consumer.settings).publish(viewed(1))
        Drain(consumer, RecordingHost(), 1).run()
        assert rows(engine, "SELECT count(*) FROM lesson_event") == [(0,)]
    Drain(consumer, RecordingHost(), 1).run()
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]


def test_the_api_writes_again(engine: Engine, settings: Settings) -> None:
    insert_as_lms(engine, 1)

    async def call() -> None:
        async with open_progress_service(settings.model_copy(update={"api_connections": 1})) as service:
            with default(engine, 'DATABASE "{name}"', READ_ONLY), pytest.raises(DBAPIError):
                await service.mark_lesson_viewed(user_course_id=1, topic_id=1, lesson_id=1)
            await service.mark_lesson_viewed(user_course_id=1, topic_id=1, lesson_id=1)

    asyncio.run(call())
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]


@pytest.mark.parametrize("state", ["0A000", "28000", "42501", "42703"])
def test_an_error_that_no_default_causes_keeps_the_session_and_its_transaction(consumer: Consumer, state: str) -> None:
    with consumer.engine.begin() as connection:
        before = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with pytest.raises(DBAPIError), connection.begin_nested():
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() == before
