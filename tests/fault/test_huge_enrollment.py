"""One enrollment is too much for PostgreSQL or for an audit's memory: it waits behind the others, and is told.

A trigger that sleeps, or raises, stands in for a ledger of millions of events.
"""

import json
from collections.abc import Iterator
from time import monotonic

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from tests.support.activity import IDLE_CUTOFF
from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_activity, refresh_all
from tests.support.system import System
from tests.support.tables import execute, rows
from tests.support.wait import wait_until
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit import compare
from worker.audit.scope import Scope
from worker.contract.event import Event
from worker.database.engine import open_engine
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.summary.refresh import refresh_summaries

CUTOFF = IDLE_CUTOFF.total_seconds()
ACTIVE = "SELECT user_course_id FROM enrollment_activity ORDER BY 1"
SUMMED_UP = "SELECT user_course_id FROM user_course_summary ORDER BY 1"
LONG_AGO = "UPDATE {} SET failed_at = failed_at - interval '1 hour' WHERE failed_at IS NOT NULL"
SLEEP = "PERFORM pg_sleep(1.2)"
RAISE = "RAISE 'not on a Sunday'"


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A statement may take half a second."""
    engine = open_engine(settings.model_copy(update={"statement_timeout_seconds": 0.5}))
    yield engine
    engine.dispose()


def hamper(engine: Engine, table: str, what: str, key: int, column: str = "user_course_id") -> None:
    """Have every write of this key's row in the table do that first."""
    execute(
        engine,
        f"CREATE FUNCTION hamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NEW; END $$",
        f"CREATE TRIGGER hamper BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN (NEW.{column} = {key})"
        " EXECUTE FUNCTION hamper()",
    )


def learners(*ids: int) -> list[Event]:
    return [event for each in ids for event in (enrolled(each), viewed(each, 1, 1), completed(each, 1, 2, seconds=60))]


# ---- Refreshes -----------------------------------------------------------------------------------------------------


@pytest.mark.second_tier
def test_running_workers_refresh_all_others_and_tell_the_one(system: System) -> None:
    hamper(system.engine, "enrollment_activity", "PERFORM pg_sleep(1.5)", 2)
    system.start_beat(summary_seconds=0.2, activity_seconds=0.2, statistics_seconds=1)
    worker = system.start_worker(2, statement_timeout_seconds=1)
    events, late = learners(1, 2, 3, 4), learners(5)
    system.publish(events)
    failed = worker.wait_for_line("refresh_failed")[0]
    assert (failed["rollup"], failed["enrollments"]) == ("activity", [2])
    wait_until(lambda: rows(system.engine, ACTIVE) == [(1,), (3,), (4,)], 20, "the activity of the others")
    system.publish(late)
    wait_until(lambda: (5,) in rows(system.engine, ACTIVE), 20, "the activity of one that came later")
    assert len(worker.lines("refresh_failed")) == 1, "not in every run again"
    execute(system.engine, LONG_AGO.format("activity_change"))
    wait_until(lambda: (2,) in rows(system.engine, ACTIVE), 20, "its own, for which there is more time then")
    system.assert_exact([*events, *late])


@pytest.mark.parametrize("what", [SLEEP, RAISE], ids=["it takes too long", "PostgreSQL refuses it"])
def test_a_failed_activity_is_left_out_until_much_later(engine: Engine, what: str) -> None:
    hamper(engine, "enrollment_activity", what, 2)
    ingest(engine, entries(learners(*range(1, 8))))
    refresh_summaries(engine, 500)
    done = refresh_activity(engine, 500, CUTOFF)
    assert (done.enrollments, done.failed) == (6, [2])
    assert done.oldest_change_at is not None
    ingest(engine, entries([viewed(each, 1, 3, seconds=90) for each in (1, 2)]))
    refresh_summaries(engine, 500)
    done = refresh_activity(engine, 500, CUTOFF)
    assert (done.enrollments, done.failed) == (1, []), "its new mark is passed over too"
    execute(engine, LONG_AGO.format("activity_change"))
    again = refresh_activity(engine, 500, CUTOFF, long_seconds=10)
    assert (again.enrollments, again.failed) == ((1, []) if what == SLEEP else (0, [2]))
    execute(engine, "DROP TRIGGER hamper ON enrollment_activity", LONG_AGO.format("activity_change"))
    refresh_all(engine)
    assert audited(engine) == []


def test_those_that_a_passing_cause_made_fail_are_all_tried_again_in_one_run(engine: Engine) -> None:
    ingest(engine, entries(learners(*range(1, 8))))
    refresh_summaries(engine, 500)
    execute(
        engine,
        f"CREATE FUNCTION hamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {RAISE}; END $$",
        "CREATE TRIGGER hamper BEFORE INSERT ON enrollment_activity FOR EACH ROW EXECUTE FUNCTION hamper()",
    )
    assert sorted(refresh_activity(engine, 500, CUTOFF).failed) == [1, 2, 3, 4, 5, 6, 7]
    execute(engine, "DROP TRIGGER hamper ON enrollment_activity", LONG_AGO.format("activity_change"))
    assert refresh_activity(engine, 500, CUTOFF).enrollments == 7
    refresh_all(engine)


def test_one_that_failed_and_that_somebody_holds_is_waited_for_by_no_run(engine: Engine) -> None:
    ingest(engine, entries(learners(1, 2)))
    refresh_all(engine)
    execute(
        engine,
        "INSERT INTO activity_change (user_course_id, failed_at) VALUES (2, now() - interval '1 hour')",
        "INSERT INTO enrollment_change (user_course_id, failed_at) VALUES (2, now() - interval '1 hour')",
    )
    rounds = iter(range(100))

    def go_on() -> bool:
        return next(rounds) < 50

    with create_engine(engine.url, poolclass=NullPool).connect() as lms:
        lms.execute(text("SELECT FROM user_course WHERE id = 2 FOR UPDATE"))
        assert refresh_activity(engine, 500, CUTOFF, go_on).enrollments == 0
        assert refresh_summaries(engine, 500, go_on).summaries == 0
        assert next(rounds) < 10
    refresh_all(engine)


@pytest.mark.parametrize("what", [SLEEP, RAISE], ids=["it takes too long", "PostgreSQL refuses it"])
def test_a_failed_summary_is_left_out_until_much_later(engine: Engine, what: str) -> None:
    ingest(engine, entries([outlined(3, [(1, 1), (1, 2)]), *learners(*range(1, 8))]))
    hamper(engine, "user_course_summary", what, 2)
    done = refresh_summaries(engine, 500)
    assert (done.summaries, done.failed) == (6, [2])
    assert done.oldest_change_at is not None
    ingest(engine, entries([outlined(3, [(1, 2)], seconds=9)]))
    execute(
        engine, "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 7, 7), (2, 7, 7)"
    )
    done = refresh_summaries(engine, 500)
    assert (done.summaries, done.failed) == (6, []), "however it is marked, it is passed over"
    execute(engine, "DROP TRIGGER hamper ON user_course_summary", LONG_AGO.format("enrollment_change"))
    assert refresh_summaries(engine, 500).summaries == 1
    refresh_all(engine)
    assert rows(engine, SUMMED_UP) == [(each,) for each in range(1, 8)]
    assert audited(engine) == []


@pytest.mark.parametrize("what", [SLEEP, RAISE], ids=["it takes too long", "PostgreSQL refuses it"])
def test_a_course_that_fails_stops_no_other(engine: Engine, what: str) -> None:
    ingest(engine, entries([enrolled(each, course_id=each) for each in range(1, 5)]))
    refresh_summaries(engine, 500)
    refresh_activity(engine, 500, CUTOFF)
    hamper(engine, "course_statistics", what, 2, "course_id")
    done = refresh_statistics(engine, 0.5, AnalysisThresholds())
    assert (done.courses, done.failed) == (3, [2])


def test_a_course_whose_rows_somebody_holds_is_not_waited_for(engine: Engine) -> None:
    ingest(engine, entries([enrolled(each, course_id=each) for each in range(1, 4)]))
    refresh_all(engine)
    execute(engine, "INSERT INTO course_change (course_id) SELECT generate_series(1, 3)")
    patient = create_engine(engine.url, poolclass=NullPool, connect_args={"options": "-c lock_timeout=8s"})
    with patient.connect() as holder:
        holder.execute(text("SELECT FROM course_statistics WHERE course_id = 2 FOR UPDATE"))
        holder.execute(text("SELECT FROM course_change WHERE course_id = 2 FOR UPDATE"))
        began_at = monotonic()
        done = refresh_statistics(patient, 60, AnalysisThresholds())
        assert (done.courses, done.failed) == (2, [2])
        assert monotonic() - began_at < 5


# ---- Many locked ones ahead of the others ----------------------------------------------------------------------------


def test_marks_are_reached_however_many_locked_enrollments_are_before_them(engine: Engine) -> None:
    chunk, locked = 2, 100
    ingest(engine, entries([enrolled(each, course_id=4 if each > locked else 3) for each in range(1, locked + 3)]))
    refresh_all(engine)
    for table in ("activity_change", "enrollment_change"):
        execute(engine, f"INSERT INTO {table} (user_course_id) SELECT id FROM user_course ORDER BY id")
    with engine.connect() as lms:
        lms.execute(text("SELECT FROM user_course WHERE course_id = 3 FOR UPDATE"))
        assert refresh_activity(engine, chunk, CUTOFF).enrollments == 2
        assert refresh_summaries(engine, chunk).summaries == 2
    refresh_all(engine)


def test_outlines_are_reached_however_many_locked_courses_are_before_them(engine: Engine) -> None:
    ingest(engine, entries(enrolled(each, course_id=each) for each in range(1, 31)))
    refresh_all(engine)
    ingest(engine, entries(outlined(each, [(1, 1)]) for each in range(1, 31)))
    with engine.connect() as lms:
        lms.execute(text("SELECT FROM user_course WHERE id < 30 FOR UPDATE"))
        assert refresh_summaries(engine, 500).summaries == 1
    refresh_all(engine)


# ---- Audit and rebuild -----------------------------------------------------------------------------------------------


@pytest.fixture
def five_events_at_most(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    monkeypatch.setattr(compare, "MAX_EVENTS_AND_ROWS", 5)
    huge = [viewed(2, 1, number) for number in range(1, 9)]
    ingest(engine, entries([*learners(1, 2, 3), *huge, enrolled(4, course_id=4), viewed(4, 1, 1)]))
    refresh_all(engine)


@pytest.mark.usefixtures("five_events_at_most")
def test_audit_and_rebuild_go_on_after_it_and_tell_it(engine: Engine, environment: dict[str, str]) -> None:
    for command in ("audit", "rebuild"):
        execute(
            engine,
            "UPDATE user_course_progress SET status = 'not_started' WHERE user_course_id IN (2, 3) AND lesson_id = 1",
            "UPDATE course_statistics SET started = 77 WHERE course_id = 3",
        )
        result = invoke(environment, command)
        assert result.exit_code == 1
        assert "user_course_progress 3/1/1 status: stored not_started, expected in_progress" in result.stdout
        assert "course_statistics" not in result.stdout, "statistics that were not audited are in it"
        assert result.stdout.splitlines()[-2:] == [
            "1 enrollment with more events than can be held in memory was not audited: 2.",
            "Nor were the statistics of the 1 course they belong to.",
        ]
    found = json.loads(invoke(environment, "audit", "--json").stdout)
    assert (found["not_audited_enrollments"], found["courses_not_compared"]) == ([2], 1)
    assert rows(engine, "SELECT status::text FROM user_course_progress WHERE user_course_id = 3 AND lesson_id = 1") == [
        ("in_progress",)
    ]


@pytest.mark.usefixtures("five_events_at_most")
@pytest.mark.parametrize("scope", [["--user-course", "2"], ["--sample", "4"], ["--course", "3"]])
def test_an_audit_is_never_silently_clean(environment: dict[str, str], scope: list[str]) -> None:
    result = invoke(environment, "audit", *scope)
    assert result.exit_code == 1
    assert "was not audited: 2." in result.stdout


@pytest.mark.usefixtures("five_events_at_most")
def test_those_audited_together_have_no_more_events_together(engine: Engine) -> None:
    ids = Scope(sample=4)
    steps = list(compare.audit_scope(engine, ids, CUTOFF, AnalysisThresholds().stuck))
    assert [[each.id for each in step.enrollments] for step in steps if step.enrollments] == [[1], [3], [4]]
