"""One enrollment that PostgreSQL refuses, or takes too long over, holds up no other: not in a sweep, not in retention.

A trigger that sleeps, or raises, stands in for a rule of the LMS or a ledger of millions of events.
"""

import json
import random
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.activity import IDLE_CUTOFF
from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, viewed
from tests.support.rollups import refresh_activity, refresh_all
from tests.support.system import System
from tests.support.tables import execute, insert_as_lms, rows
from tests.support.wait import wait_until
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.consume.maintenance import maintain
from worker.contract.event import Event
from worker.database.engine import open_engine
from worker.progress.ingest import ingest
from worker.progress.redrive import sweep_parked
from worker.progress.retention import delete_expired
from worker.settings import Settings
from worker.streams import consumers, trim
from worker.streams.connection import Redis
from worker.summary.refresh import refresh_summaries

CUTOFF = IDLE_CUTOFF.total_seconds()
SLEEP, RAISE = "PERFORM pg_sleep(0.8)", "RAISE 'not on a Sunday'"
BOTH = pytest.mark.parametrize("what", [SLEEP, RAISE], ids=["it takes too long", "PostgreSQL refuses it"])
SEEN = "SELECT DISTINCT user_course_id FROM lesson_event ORDER BY 1"


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A statement may take half a second."""
    engine = open_engine(settings.model_copy(update={"statement_timeout_seconds": 0.5}))
    yield engine
    engine.dispose()


def hamper(engine: Engine, when: str, table: str, condition: str, what: str) -> None:
    """Have every write of such a row in the table do that first."""
    execute(
        engine,
        "CREATE OR REPLACE FUNCTION hamper() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {what}; RETURN coalesce(NEW, OLD); END $$",
        f"CREATE TRIGGER hamper BEFORE {when} ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION hamper()",
    )


# ---- Sweeps ----------------------------------------------------------------------------------------------------------


@BOTH
def test_the_sweep_applies_the_parked_events_of_all_others(engine: Engine, what: str) -> None:
    """Those of the bad one came first, and are more than are tried before everything counts as refused."""
    bad: list[Event] = [viewed(1, 1, number) for number in range(1, 21)]
    ingest(engine, entries([*bad, viewed(2), viewed(3), viewed(4)]))
    hamper(engine, "INSERT", "user_course_progress", "NEW.user_course_id = 1", what)
    insert_as_lms(engine, 1, 2, 3, 4)
    assert sweep_parked(engine).applied == 3
    assert rows(engine, SEEN) == [(2,), (3,), (4,)]
    execute(engine, "DROP TRIGGER hamper ON user_course_progress")
    assert sweep_parked(engine).applied == 20


@BOTH
def test_retention_goes_on_with_all_others(engine: Engine, what: str) -> None:
    for each in (1, 2, 3):
        ingest(engine, entries([enrolled(each), viewed(each), completed(each, 1, 2)]))
    execute(engine, "UPDATE lesson_event SET recorded_at = now() - interval '60 days'")
    hamper(engine, "DELETE", "lesson_event", "OLD.user_course_id = 1", what)
    with capture_logs() as logs:
        assert delete_expired(engine, 30) == 4
    assert rows(engine, SEEN) == [(1,)]
    assert [(each["event"], each["enrollments"]) for each in logs] == [("retention_failed", [1])]
    execute(engine, "DROP TRIGGER hamper ON lesson_event")
    assert delete_expired(engine, 30) == 2


def test_housekeeping_that_redis_refuses_keeps_no_parked_event_waiting(
    engine: Engine, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(engine, entries([viewed(1)]))
    insert_as_lms(engine, 1)
    redis.xadd(settings.stream_key, {"event": "x"})
    monkeypatch.setattr(trim, "_TRIM", "return redis.call('NO SUCH COMMAND')")
    monkeypatch.setattr(consumers, "_REMOVE_CONSUMERS", "return redis.call('NO SUCH COMMAND')")
    assert maintain(settings, redis, engine).parked_applied == 1


# ---- How far the rollups are behind, and who is told -----------------------------------------------------------------


CASES: dict[str, Callable[[Engine], list[int]]] = {
    "summaries": lambda engine: refresh_summaries(engine, 500).failed,
    "activity": lambda engine: refresh_activity(engine, 500, CUTOFF).failed,
    "course_statistics": lambda engine: refresh_statistics(engine, 0.5, AnalysisThresholds()).failed,
}


@pytest.mark.parametrize(
    ("rollup", "table", "column", "sentence"),
    [
        ("summaries", "user_course_summary", "user_course_id", "The summary of 2 enrollments could"),
        ("activity", "enrollment_activity", "user_course_id", "The activity of 2 enrollments could"),
        ("course_statistics", "course_statistics", "course_id", "The statistics of 2 courses could"),
    ],
)
def test_two_that_fail_are_named_and_the_rollup_is_as_of_the_others(
    engine: Engine,
    environment: dict[str, str],
    rollup: str,
    table: str,
    column: str,
    sentence: str,
) -> None:
    for each in random.sample(range(1, 7), 6):
        ingest(engine, entries([enrolled(each, course_id=each), viewed(each)]))
    hamper(engine, "INSERT OR UPDATE", table, f"NEW.{column} IN (2, 5)", RAISE)
    failed = {each: refresh(engine) for each, refresh in CASES.items()}
    assert {each: sorted(ids) for each, ids in failed.items() if ids} == {rollup: [2, 5]}

    shown = json.loads(invoke(environment, "status", "--json").stdout)
    assert shown["failed"] == {rollup: {"number": 2, "ids": [2, 5]}}
    assert {name: each["behind_seconds"] for name, each in shown["rollups"].items()} == dict.fromkeys(CASES, 0.0)
    assert any(each.startswith(f"{sentence} not be computed: 2, 5.") for each in shown["warnings"])
    assert f'progress_refresh_failed{{rollup="{rollup}"}} 2.0' in invoke(environment, "metrics").stdout
    ready = invoke(environment, "health", "ready")
    assert (ready.exit_code, f"Degraded: {sentence}" in ready.stdout) == (0, True)
    assert list(json.loads(invoke(environment, "health", "ready", "--json").stdout)["degraded"]) == [rollup]

    ingest(engine, entries([viewed(3, 1, 2)]))
    behind = json.loads(invoke(environment, "status", "--json").stdout)["rollups"][rollup]["behind_seconds"]
    assert 0 < behind < 5, "that of one that is well"
    execute(engine, f"DROP TRIGGER hamper ON {table}")
    for marks in ("enrollment_change", "activity_change"):
        execute(engine, f"UPDATE {marks} SET failed_at = failed_at - interval '1 hour' WHERE failed_at IS NOT NULL")
    refresh_all(engine)
    assert "Degraded" not in invoke(environment, "health", "ready").stdout


def test_the_api_is_ready_and_says_what_does_not_work(settings: Settings, engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, "INSERT INTO activity_change (user_course_id, failed_at) VALUES (1, now())")
    with served(settings) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ok": True, "checks": {"postgresql": True, "redis": True}, "degraded": ["activity"]}


# ---- With running workers --------------------------------------------------------------------------------------------

HEARTBEATS = """
    INSERT INTO lesson_event (user_course_id, event_id, occurred_at, type, topic_id, lesson_id, duration_seconds)
    SELECT 1, gen_random_uuid(), timestamptz '2025-01-01' + n * interval '10 s', 'viewed', 1, 1 + n % 4, 10
    FROM generate_series(1, 150000) AS n
"""


@pytest.mark.second_tier
def test_a_learner_with_too_many_events_is_told_and_the_others_are_computed(system: System) -> None:
    """As in the field: heartbeats every 10 seconds, and a statement's time that is too short for all of them."""
    insert_as_lms(system.engine, *range(1, 11))
    execute(system.engine, HEARTBEATS)
    system.start_beat(summary_seconds=0.2, activity_seconds=0.2, statistics_seconds=1)
    worker = system.start_worker(2, statement_timeout_seconds=0.5)
    system.publish([viewed(each) for each in range(1, 11)])
    (line,) = worker.wait_for_line("refresh_failed")
    assert (line["rollup"], line["enrollments"]) == ("activity", [1])
    done = "SELECT user_course_id FROM enrollment_activity ORDER BY 1"
    wait_until(lambda: rows(system.engine, done) == [(each,) for each in range(2, 11)], 20, "the others' activity")
    wait_until(lambda: rows(system.engine, "SELECT started FROM course_statistics") == [(10,)], 20, "the statistics")
    execute(system.engine, "UPDATE activity_change SET failed_at = failed_at - interval '1 hour'")
    wait_until(lambda: len(rows(system.engine, done)) == 10, 60, "its own, with more time")
