"""A rebuild tells what it found wrong and could not repair now, by id, with what to do; its exit status is 1 then."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import execute, rows
from tests.support.wait import wait_until
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit import repair
from worker.audit.compare import Step
from worker.audit.repair import rebuild_scope
from worker.audit.scope import Scope
from worker.database.advisory_locks import ACTIVITY_LOCK, STATISTICS_LOCK_CLASS
from worker.progress.ingest import ingest

WRONG_STATISTICS = "UPDATE course_statistics SET completed = 55"
WRONG_ACTIVITY = "UPDATE daily_activity SET seconds = 7 WHERE user_course_id = 1"
STORED = "SELECT completed FROM course_statistics"
STATISTICS = f"SELECT pg_advisory_lock({STATISTICS_LOCK_CLASS}, hashint8(3))"
ACTIVITY = f"SELECT pg_advisory_lock({ACTIVITY_LOCK})"
WAITING = f"""
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND NOT granted AND classid = {STATISTICS_LOCK_CLASS}
"""
COURSE_WAITS = (
    "The statistics of 1 course could not be computed now (3) and are not repaired: wait for the scheduled task"
)
LEARNER_WAITS = (
    "The activity of 1 enrollment could not be computed now (1) and is not repaired: wait for the scheduled task"
)


@pytest.fixture(autouse=True)
def _learners(engine: Engine) -> None:
    events = [outlined(3, [(1, 1), (1, 2)]), enrolled(1), enrolled(2)]
    ingest(engine, entries([*events, completed(1), viewed(1, 1, 2, seconds=9), viewed(2)]))
    refresh_all(engine)


@pytest.fixture
def other(engine: Engine) -> Iterator[Connection]:
    """Another session, at whose end its advisory locks go."""
    with engine.connect() as connection:
        yield connection
        connection.invalidate()


def hurried(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PROGRESS_STATISTICS_TIMEOUT_SECONDS": "0.5"}


@pytest.mark.parametrize("options", [[], ["--course", "3"]])
def test_statistics_that_another_refresh_is_at_are_not_said_to_be_repaired(
    environment: dict[str, str], engine: Engine, other: Connection, options: list[str]
) -> None:
    other.execute(text(STATISTICS))
    execute(engine, WRONG_STATISTICS)
    result = invoke(hurried(environment), "rebuild", *options)
    assert (result.exit_code, COURSE_WAITS in result.stdout) == (1, True)
    assert rows(engine, STORED) == [(55,)]
    execute(engine, "DELETE FROM course_change")
    shown = invoke(hurried(environment), "rebuild", *options, "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["waiting_courses"]) == (1, [3])
    other.execute(text("SELECT pg_advisory_unlock_all()"))
    refresh_all(engine)
    assert rows(engine, STORED) == [(0,)]


def test_a_rebuild_waits_for_a_refresh_that_ends(
    environment: dict[str, str], engine: Engine, other: Connection
) -> None:
    other.execute(text(STATISTICS))
    execute(engine, WRONG_STATISTICS)
    with ThreadPoolExecutor(1) as thread:
        rebuilding = thread.submit(invoke, environment, "rebuild")
        wait_until(lambda: rows(engine, WAITING) == [(1,)], 20, "the rebuild at the lock")
        other.execute(text("SELECT pg_advisory_unlock_all()"))
        assert rebuilding.result(timeout=20).exit_code == 0
    assert rows(engine, STORED) == [(0,)]


def test_statistics_for_which_the_time_runs_out_wait(engine: Engine) -> None:
    execute(engine, WRONG_STATISTICS)
    steps = list(rebuild_scope(engine, Scope(), 0.001, AnalysisThresholds().stuck, 600))
    assert [each.course_id for each in steps if each.is_waiting] == [3]


def test_statistics_that_a_trigger_refuses_wait_and_hold_up_no_other_course(
    environment: dict[str, str], engine: Engine
) -> None:
    ingest(engine, entries([enrolled(7, course_id=4), viewed(7)]))
    refresh_all(engine)
    execute(
        engine,
        WRONG_STATISTICS,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not on a Sunday'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON course_statistics"
        " FOR EACH ROW WHEN (NEW.course_id = 3) EXECUTE FUNCTION refuse()",
    )
    result = invoke(environment, "rebuild")
    assert (result.exit_code, COURSE_WAITS in result.stdout) == (1, True)
    assert rows(engine, STORED + " ORDER BY course_id") == [(55,), (0,)]


@pytest.mark.parametrize("options", [[], ["--course", "3"], ["--user-course", "1"]])
def test_activity_that_another_refresh_is_at_is_not_said_to_be_repaired(
    environment: dict[str, str], engine: Engine, other: Connection, options: list[str]
) -> None:
    other.execute(text(ACTIVITY))
    execute(engine, WRONG_ACTIVITY)
    result = invoke(hurried(environment), "rebuild", *options)
    assert (result.exit_code, LEARNER_WAITS in result.stdout) == (1, True)
    execute(engine, "DELETE FROM activity_change")
    shown = invoke(hurried(environment), "rebuild", *options, "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["waiting_enrollments"]) == (1, [1])


@pytest.mark.parametrize("options", [["--json"], []])
def test_what_workers_change_meanwhile_is_left_to_the_scheduled_refresh(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    look = repair._second_look

    def late(*given: Any) -> Step:
        if rows(engine, STORED) == [(0,)]:
            ingest(engine, entries([completed(1, 1, 2, seconds=60)]))
        return look(*given)

    execute(engine, WRONG_STATISTICS, WRONG_ACTIVITY)
    monkeypatch.setattr(repair, "_second_look", late)
    result = invoke(environment, "rebuild", *options)
    assert result.exit_code == 0
    if options:
        found = json.loads(result.stdout)
        assert found["changed_courses"] == [3]
        assert (found["waiting_courses"], found["waiting_enrollments"], found["not_repaired"]) == ([], [], [])
    else:
        assert "have changed more since (3): the scheduled task will refresh them." in result.stdout
        assert "not repaired" not in result.stdout
    refresh_all(engine)
    assert audited(engine) == []
