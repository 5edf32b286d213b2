"""What PostgreSQL refuses for the data's sake is set aside alone; any other error leaves everything as it was."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError

from tests.support.events import enrolled, entries, entry, outlined, viewed
from tests.support.tables import counted_statements, execute, insert_as_lms, rows, snapshot
from tests.support.wait import wait_until
from worker.contract.entry import Reason
from worker.database.engine import open_engine
from worker.database.failures import Failure, classify
from worker.progress.ingest import ingest
from worker.progress.outcome import REFUSED
from worker.settings import Settings

WAITING = """
    SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
OWN_CHECK = "ALTER TABLE user_course_progress ADD CONSTRAINT lms_rule CHECK (lesson_id <> 13)"


@contextmanager
def changed(settings: Settings, **changes: object) -> Iterator[Engine]:
    """The worker's engine with other settings."""
    engine = open_engine(settings.model_copy(update=changes))
    yield engine
    engine.dispose()


@contextmanager
def row_locked(engine: Engine, user_course_id: int) -> Iterator[None]:
    """Another session holds the enrollment's row."""
    with engine.connect() as other:
        other.execute(text("SELECT FROM user_course WHERE id = :id FOR UPDATE"), {"id": user_course_id})
        yield
        other.rollback()


def test_only_the_entry_that_postgresql_refuses_is_set_aside(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, OWN_CHECK)
    batch = entries(viewed(1, 1, lesson) for lesson in range(1, 21))
    outcome = ingest(engine, batch)
    assert (outcome.applied, outcome.rejected) == (19, 1)
    ((entry_id, reason, detail),) = rows(engine, "SELECT entry_id, reason, detail FROM dead_letter")
    assert (entry_id, reason) == (batch[12].id, Reason.DATA_ERROR)
    assert "lms_rule" in detail
    assert rows(engine, "SELECT count(*) FROM lesson_event WHERE lesson_id = 13") == [(0,)]
    assert rows(engine, "SELECT count(*) FROM user_course_progress") == [(19,)]


def test_several_refused_entries_are_found_wherever_they_stand(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, OWN_CHECK.replace("<> 13", "NOT IN (1, 8, 16)"))
    batch = entries(viewed(1, 1, lesson) for lesson in range(1, 17))
    assert ingest(engine, batch).applied == 13
    refused = {batch[index].id for index in (0, 7, 15)}
    assert {row[0] for row in rows(engine, "SELECT entry_id FROM dead_letter")} == refused


def test_finding_one_refused_entry_takes_a_logarithm_of_transactions(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, OWN_CHECK)
    with counted_statements(engine) as sent:
        ingest(engine, entries(viewed(1, 1, lesson) for lesson in range(1, 1_025)))
    assert sent.count("BEGIN") <= 2 * 10 + 2


def test_an_enrollment_that_the_lms_table_cannot_hold_is_set_aside(engine: Engine) -> None:
    execute(engine, "ALTER TABLE user_course ADD COLUMN tenant int NOT NULL DEFAULT 1")
    insert_as_lms(engine, 1)
    execute(engine, "ALTER TABLE user_course ALTER COLUMN tenant DROP DEFAULT")
    batch = entries([viewed(1), enrolled(2), viewed(1, 1, 2)])
    outcome = ingest(engine, batch)
    assert outcome.applied == 2
    assert outcome.deferred == [(batch[1], REFUSED)], "no other enrollment shows that it is this one's fault"
    ingest(engine, batch[1:2], final=True)
    ((reason, detail),) = rows(engine, "SELECT reason, detail FROM dead_letter")
    assert reason == Reason.DATA_ERROR
    assert "tenant" in detail


def test_an_enrollment_too_large_for_an_lms_column_is_set_aside(engine: Engine) -> None:
    execute(engine, "ALTER TABLE user_course ALTER COLUMN user_id TYPE int")
    outcome = ingest(engine, entries([enrolled(1), enrolled(2, user_id=2**31)]))
    assert (outcome.applied, outcome.rejected) == (1, 1)
    assert rows(engine, "SELECT id FROM user_course") == [(1,)]


def test_a_locked_enrollment_is_deferred_and_its_neighbors_are_applied(engine: Engine) -> None:
    insert_as_lms(engine, 1, 2)
    its = entry(viewed(2))
    batch = [*entries([viewed(1)]), its, *entries([enrolled(3), outlined(), viewed(9)]), entry(b"broken")]
    with row_locked(engine, 2):
        outcome = ingest(engine, batch)
    assert outcome.deferred == [(its, ("enrollment", 2))]
    assert (outcome.applied, outcome.parked, outcome.rejected) == (3, 1, 1)
    assert rows(engine, "SELECT user_course_id FROM lesson_event") == [(1,)]
    again = ingest(engine, batch)
    assert (again.applied, again.repeated) == (1, 3), "the deferred view alone was not there yet"


def test_a_lock_on_the_whole_table_raises_and_leaves_everything_as_it_was(engine: Engine, settings: Settings) -> None:
    insert_as_lms(engine, 1, 2)
    before = snapshot(engine)
    batch = [*entries([viewed(1), viewed(2), enrolled(3), outlined(), viewed(9)]), entry(b"broken")]
    with changed(settings, lock_timeout_seconds=0.1) as impatient, engine.connect() as lms:
        lms.execute(text("LOCK TABLE user_course IN EXCLUSIVE MODE"))
        with pytest.raises(DBAPIError) as caught:
            ingest(impatient, batch)
    assert classify(caught.value) is Failure.TRANSIENT
    assert snapshot(engine) == before
    assert ingest(engine, batch).applied == 4


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT FROM user_course_progress WHERE user_course_id = 2 FOR UPDATE",
        "INSERT INTO user_course (id, user_id, course_id) VALUES (5, 70, 30)",
        "SELECT FROM course_owner WHERE id = 4 FOR UPDATE",
    ],
    ids=["a progress row", "an enrollment that the LMS is inserting", "a row that an enrollment refers to"],
)
def test_whatever_else_is_locked_is_found_and_its_neighbors_are_applied(
    engine: Engine, settings: Settings, statement: str
) -> None:
    execute(
        engine,
        "CREATE TABLE course_owner (id bigint PRIMARY KEY)",
        "INSERT INTO course_owner VALUES (3), (4), (30)",
        "ALTER TABLE user_course ADD FOREIGN KEY (course_id) REFERENCES course_owner (id)",
    )
    insert_as_lms(engine, *range(1, 4))
    ingest(engine, entries([viewed(1), viewed(2), viewed(3)]))
    batch = entries([viewed(1, 1, 2), viewed(2, seconds=9), viewed(3, 1, 2), enrolled(5, course_id=4), enrolled(6)])
    with changed(settings, lock_timeout_seconds=0.05) as impatient, engine.connect() as lms:
        lms.execute(text(statement))
        outcome = ingest(impatient, batch)
        assert (outcome.applied, len(outcome.deferred), outcome.dead_letters) == (4, 1, [])
        lms.rollback()
        assert ingest(impatient, [each for each, _ in outcome.deferred]).applied == 1


def test_rows_of_a_whole_course_that_are_held_cost_one_wait(engine: Engine, settings: Settings) -> None:
    insert_as_lms(engine, *range(1, 41))
    ingest(engine, entries(viewed(key) for key in range(1, 41)))
    batch = entries(viewed(key, seconds=9) for key in range(1, 41))
    with changed(settings, lock_timeout_seconds=0.3) as impatient, engine.connect() as lms:
        lms.execute(text("SELECT FROM user_course_progress WHERE user_course_id <= 10 FOR UPDATE"))
        started = time.monotonic()
        outcome = ingest(impatient, batch)
        assert (outcome.applied, len(outcome.deferred), outcome.met_locks) == (30, 10, True)
        with counted_statements(impatient) as sent:
            again = ingest(impatient, [each for each, _ in outcome.deferred], careful=True)
        assert (again.applied, len(again.deferred)) == (0, 10)
        assert "ROLLBACK" not in sent, "who is careful waits for none of them"
        assert time.monotonic() - started < 5


def test_enrollments_of_a_course_that_an_lms_has_locked_hold_up_no_others(engine: Engine, settings: Settings) -> None:
    execute(
        engine,
        "CREATE TABLE course_owner (id bigint PRIMARY KEY)",
        "INSERT INTO course_owner VALUES (1), (2), (3), (4)",
        "ALTER TABLE user_course ADD FOREIGN KEY (course_id) REFERENCES course_owner (id)",
    )
    batch = entries([each for key in range(1, 41) for each in (enrolled(key, course_id=1 + key % 4), viewed(key))])
    with changed(settings, lock_timeout_seconds=0.1) as impatient, engine.connect() as lms:
        lms.execute(text("SELECT FROM course_owner WHERE id = 1 FOR UPDATE"))
        ingest(impatient, batch)
        assert rows(engine, "SELECT course_id, count(*) FROM user_course GROUP BY 1 ORDER BY 1") == [
            (2, 10),
            (3, 10),
            (4, 10),
        ]
        assert rows(engine, "SELECT count(*) FROM lesson_event") == [(30,)]


def test_a_statement_that_takes_too_long_raises_and_leaves_everything_as_it_was(
    engine: Engine, settings: Settings
) -> None:
    insert_as_lms(engine, 1)
    execute(
        engine,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN new; END'",
        "CREATE TRIGGER slow BEFORE INSERT ON lesson_event FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    before = snapshot(engine)
    with changed(settings, statement_timeout_seconds=0.1) as impatient, pytest.raises(DBAPIError) as caught:
        ingest(impatient, [*entries([viewed(1), enrolled(3)]), entry(b"broken")])
    assert classify(caught.value) is Failure.TRANSIENT
    assert snapshot(engine) == before


def test_a_connection_cut_in_mid_batch_raises_and_leaves_everything_as_it_was(
    engine: Engine, settings: Settings
) -> None:
    insert_as_lms(engine, 1, 2)
    before = snapshot(engine)
    batch = [*entries([viewed(1), enrolled(3), viewed(2)]), entry(b"broken")]
    raised: list[BaseException] = []

    def work(on: Engine) -> None:
        try:
            ingest(on, batch)
        except DBAPIError as error:
            raised.append(error)

    with changed(settings) as other, engine.connect() as lms:
        lms.execute(text("INSERT INTO user_course (id, user_id, course_id) VALUES (3, 70, 30)"))
        thread = Thread(target=work, args=[other])
        thread.start()
        ((pid,),) = wait_until(lambda: rows(engine, WAITING), what="the wait for the lock")
        execute(engine, "SELECT pg_terminate_backend(:pid)", pid=pid)
        thread.join(10)
    assert [classify(error) for error in raised if isinstance(error, Exception)] == [Failure.TRANSIENT]
    assert snapshot(engine) == before
    assert ingest(engine, batch).applied == 3


def test_an_error_after_the_dead_letters_leaves_them_out_too(engine: Engine) -> None:
    """Nothing of a batch may be there without the rest: the connection ends just before COMMIT."""
    before = snapshot(engine)

    def cut(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    event.listen(engine, "commit", cut)
    with pytest.raises(DBAPIError) as caught:
        ingest(engine, [*entries([enrolled(), viewed()]), entry(b"broken")])
    event.remove(engine, "commit", cut)
    assert classify(caught.value) is Failure.TRANSIENT
    assert snapshot(engine) == before


@pytest.mark.parametrize(
    "ruin",
    [
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "DROP TABLE lesson_event",
        "ALTER TABLE lesson_event DROP COLUMN section_id",
    ],
    ids=["read-only", "no table", "no column"],
)
def test_a_database_that_is_not_ours_to_write_raises_and_sets_nothing_aside(
    engine: Engine, settings: Settings, ruin: str
) -> None:
    insert_as_lms(engine, 1)
    execute(engine, ruin.format(name=engine.url.database))
    with changed(settings) as fresh, pytest.raises(DBAPIError) as caught:
        ingest(fresh, [*entries([viewed(1), enrolled(3)]), entry(b"broken")])
    assert classify(caught.value) is Failure.SCHEMA
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]
    assert rows(engine, "SELECT count(*) FROM user_course") == [(1,)]


def test_a_role_without_rights_raises_and_sets_nothing_aside(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, "REVOKE INSERT ON lesson_event FROM CURRENT_USER")

    def become_mortal(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL ROLE pg_monitor")

    if rows(engine, "SHOW is_superuser") == [("on",)]:
        event.listen(engine, "begin", become_mortal)
    with pytest.raises(DBAPIError) as caught:
        ingest(engine, [*entries([viewed(1)]), entry(b"broken")])
    if event.contains(engine, "begin", become_mortal):
        event.remove(engine, "begin", become_mortal)
    assert classify(caught.value) is Failure.SCHEMA
    assert "permission denied" in str(caught.value)
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]
