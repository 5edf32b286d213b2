"""An LMS deletes an enrollment beside a late event, on a replica, or without triggers: nothing of it is inherited."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tests.support.activity import IDLE_CUTOFF
from tests.support.commands import invoke
from tests.support.events import at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_activity, refresh_all
from tests.support.tables import TABLES, execute, insert_as_lms, rows
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit import orphans
from worker.audit.repair import rebuild_scope
from worker.audit.scope import Scope
from worker.audit.void import void_event
from worker.contract.event import Event
from worker.progress.ingest import ingest

CUTOFF = IDLE_CUTOFF.total_seconds()
OLD_CORRECTION = corrected(1, 1, 2, seconds=200)
RULING = corrected(1, 1, 2, seconds=300, status="completed", last_viewed_at=at(250), completed_at=at(250))
LATE: dict[str, Event] = {
    "a view that changes the ledger alone": viewed(1, 1, 1, seconds=1),
    "a completion that changes the ledger alone": completed(1, 1, 1, seconds=80),
    "a view of a corrected lesson, before the correction": viewed(1, 1, 2, seconds=150),
    "a correction before the ruling one": OLD_CORRECTION,
    "a correction that says the same at the same time": RULING.model_copy(
        update={"id": "ffffffff-ffff-4fff-bfff-ffffffffffff"}
    ),
    "a view of another lesson": viewed(1, 1, 5, seconds=2),
    "the latest event": viewed(1, 1, 5, seconds=900),
}
SERIALIZATION_FAILURE = "40001"
REPLICA = "SET LOCAL session_replication_role = replica"


def populated(engine: Engine) -> None:
    """Enrollments 1 and 2, with rows in every table that has any of an enrollment, but for marks that passed."""
    execute(engine, "DELETE FROM user_course")
    for each in (1, 2):
        its = [viewed(each, 1, 1, seconds=5), completed(each, 1, 1, seconds=60), viewed(each, 1, 3, seconds=400)]
        ruling = RULING.model_copy(update={"data": RULING.data.model_copy(update={"user_course_id": each})})
        ingest(engine, entries([outlined(3, [(1, 1), (1, 2)]), enrolled(each), *its, ruling]))
        void_event(engine, its[-1].event_id, each, 10)
    refresh_all(engine)


def left(engine: Engine, user_course_id: int = 1) -> list[str]:
    """The tables that have rows of the enrollment."""
    return [
        table
        for table in orphans.TABLES
        if rows(engine, f"SELECT FROM {table} WHERE user_course_id = {user_course_id}")
    ]


def test_the_tables_looked_at_are_all_that_there_are() -> None:
    assert set(orphans.TABLES) < set(TABLES)
    assert len(orphans.TABLES) == 11


# ---- Beside a late event ---------------------------------------------------------------------------------------------


@contextmanager
def deleting(engine: Engine, isolation: str) -> Iterator[Connection]:
    """An LMS's transaction whose moment is that of the block's begin."""
    with engine.connect().execution_options(isolation_level=isolation) as lms:
        assert lms.execute(text("SELECT count(*) FROM user_course")).scalar_one()
        yield lms


def refusal(lms: Connection) -> str | None:
    """The SQLSTATE with which the deletion of enrollment 1 is refused."""
    try:
        lms.execute(text("DELETE FROM user_course WHERE id = 1"))
        lms.commit()
    except DBAPIError as error:
        lms.rollback()
        return str(getattr(error.orig, "sqlstate", error))
    return None


@pytest.mark.parametrize("is_refreshed", [False, True], ids=["", "and its mark is gone by then"])
@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_a_deletion_that_cannot_see_the_event_is_refused_and_succeeds_when_repeated(
    engine: Engine, is_refreshed: bool, late: Event
) -> None:
    populated(engine)
    with deleting(engine, "REPEATABLE READ") as lms:
        assert ingest(engine, entries([late])).applied == 1
        if is_refreshed:
            refresh_activity(engine, 500, CUTOFF)
        assert refusal(lms) == SERIALIZATION_FAILURE
        assert refusal(lms) is None
    assert left(engine) == []
    assert left(engine, 2) != []


@pytest.mark.parametrize(
    ("isolation", "refused"), [("READ COMMITTED", None), ("SERIALIZABLE", SERIALIZATION_FAILURE)], ids=str
)
def test_in_another_isolation_nothing_is_left_behind_either(
    engine: Engine, isolation: str, refused: str | None
) -> None:
    populated(engine)
    with deleting(engine, isolation) as lms:
        ingest(engine, entries([OLD_CORRECTION]))
        assert refusal(lms) == refused
        assert refusal(lms) is None
    assert left(engine) == []


def test_the_next_learner_with_the_same_id_inherits_nothing(engine: Engine) -> None:
    populated(engine)
    with deleting(engine, "REPEATABLE READ") as lms:
        ingest(engine, entries([viewed(1, 1, 1, seconds=1)]))
        with pytest.raises(DBAPIError, match="could not serialize"):
            lms.execute(text("DELETE FROM user_course WHERE id = 1"))
    execute(engine, "DELETE FROM user_course WHERE id = 1")
    insert_as_lms(engine, 1, user_id=99)
    refresh_all(engine)
    assert rows(
        engine, "SELECT completed_lessons, last_activity_at FROM user_course_summary WHERE user_course_id = 1"
    ) == [(0, None)]
    assert audited(engine) == []


def test_a_deletion_beside_one_of_a_row_that_the_lms_made_leaves_no_mark(engine: Engine) -> None:
    populated(engine)
    execute(engine, "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 7, 7)")
    refresh_all(engine)
    with deleting(engine, "REPEATABLE READ") as lms:
        execute(engine, "DELETE FROM user_course_progress WHERE lesson_id = 7")
        with pytest.raises(DBAPIError, match="could not serialize"):
            lms.execute(text("DELETE FROM user_course WHERE id = 1"))
    execute(engine, "DELETE FROM user_course WHERE id = 1")
    assert left(engine) == []


# ---- Without the ordinary triggers ---------------------------------------------------------------------------------


DELETIONS: dict[str, list[str]] = {
    "by the LMS": ["DELETE FROM user_course WHERE id = 1"],
    "as a replica": [REPLICA, "DELETE FROM user_course WHERE id = 1"],
    "all at once": ["TRUNCATE user_course CASCADE"],
    "all at once as a replica": [REPLICA, "TRUNCATE user_course CASCADE"],
}


@pytest.mark.parametrize("statements", DELETIONS.values(), ids=DELETIONS)
def test_an_enrollment_goes_with_every_row(engine: Engine, statements: list[str]) -> None:
    populated(engine)
    execute(
        engine,
        "INSERT INTO activity_change (user_course_id) VALUES (1), (2)",
        "INSERT INTO enrollment_change (user_course_id) VALUES (1), (2)",
    )
    assert left(engine) == list(orphans.TABLES), "else a table is not tried"
    execute(engine, *statements)
    assert left(engine) == []
    assert (left(engine, 2) == list(orphans.TABLES)) == ("DELETE" in statements[-1])
    assert not any(each.table in orphans.TABLES for each in audited(engine))


def forgotten(engine: Engine) -> None:
    """Enrollment 1 goes and nothing of it does, as where somebody has switched the triggers off."""
    populated(engine)
    execute(
        engine,
        "ALTER TABLE user_course DISABLE TRIGGER ALL",
        "DELETE FROM user_course WHERE id = 1",
        "ALTER TABLE user_course ENABLE TRIGGER ALL",
    )
    execute(engine, "INSERT INTO course_change (course_id) VALUES (3)")
    refresh_all(engine)


def test_audit_tells_what_was_left_behind_and_rebuild_deletes_it(engine: Engine, environment: dict[str, str]) -> None:
    forgotten(engine)
    expected = [f"{table} 1 *: stored rows {count}, expected no row" for table, count in counted(engine)]
    assert len(expected) >= 8
    result = invoke(environment, "audit")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:-1] == expected
    assert invoke(environment, "rebuild", "--dry-run").stdout.splitlines()[:-1] == expected
    assert left(engine) != []
    assert invoke(environment, "rebuild").exit_code == 0
    assert left(engine) == []
    assert invoke(environment, "audit").exit_code == 0


def counted(engine: Engine) -> list[tuple[str, int]]:
    return [
        (table, count)
        for table in orphans.TABLES
        for (count,) in rows(engine, f"SELECT count(*) FROM {table} WHERE user_course_id = 1")
        if count
    ]


def test_they_are_found_page_by_page_and_deleted_in_bounded_transactions(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "PAGE", 3)
    monkeypatch.setattr(orphans, "CHUNK", 2)
    execute(
        engine,
        """
        INSERT INTO lesson_event (user_course_id, event_id, occurred_at, type, topic_id, lesson_id)
        SELECT key, gen_random_uuid(), now(), 'viewed', 1, number
        FROM generate_series(1, 20) AS key CROSS JOIN generate_series(1, 5) AS number
        """,
    )
    insert_as_lms(engine, 4, 5, 6, 20)
    gone = [key for key in range(1, 20) if key not in {4, 5, 6}]
    assert list(orphans.find(engine, "lesson_event")) == [(key, 5) for key in gone]
    list(rebuild_scope(engine, Scope(), 60, AnalysisThresholds().stuck, CUTOFF))
    assert rows(engine, "SELECT DISTINCT user_course_id FROM lesson_event ORDER BY 1") == [(4,), (5,), (6,), (20,)]


def test_what_belongs_to_the_living_cannot_be_deleted_that_way(engine: Engine) -> None:
    populated(engine)
    before = left(engine)
    assert rows(engine, "SELECT progress_delete_orphans(1, 1000)") == [(0,)]
    assert left(engine) == before
