"""Retention of the ledger: off unless it is set, and what it deletes changes nothing but the ledger."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF
from tests.support.events import at, completed, corrected, enrolled, entries, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import contents, counted_statements, execute, rows, snapshot
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit.compare import audit_scope
from worker.audit.repair import rebuild_scope
from worker.audit.scope import Scope
from worker.contract.event import Event
from worker.progress import ingest as ingest_service
from worker.progress import retention
from worker.progress.enrollments import lock_enrollments
from worker.progress.expired_events import delete_events, expired_events
from worker.progress.ingest import ingest
from worker.progress.retention import delete_expired

CUTOFF = IDLE_CUTOFF.total_seconds()
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
EVENTS = "SELECT user_course_id, topic_id, lesson_id FROM lesson_event ORDER BY user_course_id, topic_id, lesson_id"
PROGRESS = "SELECT lesson_id, status::text, last_viewed_at, completed_at FROM user_course_progress ORDER BY lesson_id"
KEPT = ("user_course_progress", "user_course_summary", "course_statistics", "lesson_statistics")
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
HISTORY = "SELECT id, extract(epoch FROM now() - history_from) / 86400 FROM user_course ORDER BY id"
POSITIONS = """
    SELECT id, current_topic, current_lesson, current_section, position_at, position_event_id, stale_since
    FROM user_course ORDER BY id
"""


def record(engine: Engine, *events: Event, days_ago: float = 0) -> None:
    """Have the events recorded, as if so long ago."""
    ingest(engine, entries(events))
    ids = [event.event_id for event in events]
    execute(
        engine,
        "UPDATE lesson_event SET recorded_at = now() - make_interval(secs => :ago) WHERE event_id::text = ANY(:ids)",
        ago=86_400 * days_ago,
        ids=ids,
    )


def old(engine: Engine, *events: Event) -> None:
    """Have enrollment 1 and the events recorded 40 days ago, and everything that follows from them refreshed."""
    record(engine, enrolled(1), *events, days_ago=40)
    refresh_all(engine)


def delete(engine: Engine, days: float = 30) -> int:
    """Delete what is older, all of it; fails where a defect would have it go round for ever."""
    rounds = iter(range(500))
    deleted = delete_expired(engine, days, lambda: next(rounds, None) is not None)
    assert next(rounds, None) is not None
    return deleted


def everything_but_the_ledger(engine: Engine) -> object:
    return rows(engine, POSITIONS), {name: each for name, each in snapshot(engine).items() if name in KEPT}


def unprovable(engine: Engine) -> int:
    return sum(
        each.unprovable
        for step in audit_scope(engine, Scope(), CUTOFF, AnalysisThresholds().stuck)
        for each in step.enrollments
    )


def rebuild(engine: Engine) -> None:
    for _ in rebuild_scope(engine, Scope(), 60, AnalysisThresholds().stuck, CUTOFF):
        pass


# ---- Off unless it is set ------------------------------------------------------------------------------------------


def python(environment: dict[str, str], code: str, **settings: str) -> str:
    """What a process of its own prints; for what is decided by the environment."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **settings},
        cwd=Path.home().root,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


@pytest.mark.second_tier
def test_the_task_deletes_nothing_unless_it_is_set(environment: dict[str, str], engine: Engine) -> None:
    old(engine, viewed(1))
    task = "from worker.tasks import apply_retention; apply_retention()"
    python(environment, task)
    assert rows(engine, EVENTS) == [(1, 1, 1)]
    python(environment, task, PROGRESS_RETENTION_DAYS="41")
    assert rows(engine, EVENTS) == [(1, 1, 1)]
    python(environment, task, PROGRESS_RETENTION_DAYS="39")
    assert rows(engine, EVENTS) == []


def test_beat_starts_the_task_only_where_it_is_set(environment: dict[str, str]) -> None:
    code = "import json; from worker.celeryconfig import beat_schedule as found;"
    code += "print(json.dumps([each['task'] for each in found.values()]))"
    given: list[dict[str, str]] = [{}, {"PROGRESS_RETENTION_DAYS": "30"}]
    without, with_retention = [json.loads(python(environment, code, **settings)) for settings in given]
    assert with_retention == [*without, "progress.apply_retention"]


# ---- What is deleted -----------------------------------------------------------------------------------------------


def test_only_events_recorded_before_are_deleted(engine: Engine) -> None:
    record(engine, enrolled(1))
    for lesson_id, days_ago in ((1, 31), (2, 29), (3, 0)):
        record(engine, viewed(1, 1, lesson_id), days_ago=days_ago)
    assert delete(engine) == 1
    assert rows(engine, EVENTS) == [(1, 1, 2), (1, 1, 3)]


def test_when_an_event_happened_does_not_matter(engine: Engine) -> None:
    record(engine, enrolled(1), viewed(1, seconds=-400 * 86_400))
    assert delete(engine) == 0


def test_every_event_of_a_lesson_with_a_correction_stays(engine: Engine) -> None:
    old(engine, viewed(1, 1, 1), corrected(1, 1, 1, seconds=1), completed(1, 1, 1, seconds=2), viewed(1, 1, 2))
    assert delete(engine) == 1
    assert rows(engine, EVENTS) == [(1, 1, 1)] * 3


def test_a_correction_that_comes_after_events_were_chosen_keeps_them(engine: Engine) -> None:
    old(engine, viewed(1, 1, 1), viewed(1, 1, 2))
    with engine.begin() as connection:
        chosen = expired_events(connection, datetime.now(UTC), 10, [])
        ingest(engine, entries([corrected(1, 1, 1, seconds=-9)]))
        lock_enrollments(connection, {1})
        assert delete_events(connection, chosen, at(0)) == 1
    assert rows(engine, EVENTS) == [(1, 1, 1)] * 2


def test_an_enrollment_that_others_hold_is_left_to_the_next_run_and_its_correction_keeps_the_events(
    engine: Engine,
) -> None:
    old(engine, viewed(1, 1, 1), viewed(1, 1, 2))
    with engine.begin() as connection:
        ingest_service.record_batch(connection, entries([corrected(1, 1, 1, seconds=-9)]))
        assert delete(engine) == 0
    assert delete(engine) == 1
    assert rows(engine, EVENTS) == [(1, 1, 1)] * 2


def test_an_enrollment_that_lost_events_says_since_when_its_history_is_whole(engine: Engine) -> None:
    old(engine, viewed(1))
    record(engine, enrolled(2), viewed(2))
    delete(engine)
    (_, days), (_, none) = rows(engine, HISTORY)
    assert (30 <= days < 30.01, none) == (True, None)


def test_a_history_never_becomes_longer_again(engine: Engine) -> None:
    for days in (30, 35):
        old(engine, viewed(1))
        assert delete(engine, days) == 1
    assert rows(engine, HISTORY)[0][1] < 30.01


# ---- What stays as it is -------------------------------------------------------------------------------------------


def test_progress_positions_summaries_and_statistics_are_not_touched(engine: Engine) -> None:
    old(engine, viewed(1, 1, 1, section_id=4), completed(1, 1, 2, seconds=5), corrected(1, 1, 3))
    before, kept = everything_but_the_ledger(engine), contents(engine)
    assert delete(engine) == 2
    assert everything_but_the_ledger(engine) == before
    refresh_all(engine)  # statistics are computed again, with the activity of what is left
    assert {name: contents(engine)[name] for name in KEPT} == {name: kept[name] for name in KEPT}


def test_events_published_again_after_their_deletion_change_nothing(engine: Engine) -> None:
    events: list[Event] = [viewed(1, 1, 1, seconds=1), completed(1, 1, 1, seconds=2), completed(1, 1, 2, seconds=5)]
    old(engine, *events)
    before = everything_but_the_ledger(engine)
    delete(engine)
    for event in reversed(events):
        assert ingest(engine, entries([event])).applied == 1
    assert len(rows(engine, EVENTS)) == 3
    assert everything_but_the_ledger(engine) == before


def test_new_events_go_on_from_what_is_stored(engine: Engine) -> None:
    old(engine, completed(1, 1, 1, seconds=2))
    delete(engine)
    ingest(engine, entries([viewed(1, 1, 1, seconds=1), viewed(1, 1, 1, seconds=9)]))
    assert rows(engine, PROGRESS) == [(1, "completed", at(9), at(2))]
    refresh_all(engine)
    assert audited(engine) == []


# ---- In bounded transactions, by any number of workers ---------------------------------------------------------------


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)


@pytest.mark.usefixtures("small_chunks")
def test_each_transaction_deletes_a_chunk(engine: Engine) -> None:
    old(engine, *(viewed(1, 1, number) for number in range(1, 6)))
    with counted_statements(engine) as sent:
        assert delete(engine) == 5
    assert sent.count("COMMIT") == 4, "2 + 2 + 1, and the one that finds nothing"


@pytest.mark.usefixtures("small_chunks")
def test_a_run_ends_when_it_is_told_to_and_the_next_goes_on(engine: Engine) -> None:
    old(engine, *(viewed(1, 1, number) for number in range(1, 6)))
    assert [delete_expired(engine, 30, go_on=lambda: False) for _ in range(4)] == [2, 2, 1, 0]
    assert audited(engine) == []


def at_once(*works: Callable[[], object]) -> list[object]:
    """Do each in a thread of its own, all beginning together; what they returned or raised."""
    barrier = Barrier(len(works))
    found: list[object] = []

    def run(work: Callable[[], object]) -> None:
        barrier.wait(20)
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            found.append(error)

    threads = [Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_runs_at_once_share_the_work(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 7)
    known: list[Event] = [enrolled(number) for number in range(1, 11)]
    record(engine, *known, *(viewed(1 + n % 10, 1, 1 + n) for n in range(300)), days_ago=40)
    refresh_all(engine)
    before, deadlocks = everything_but_the_ledger(engine), rows(engine, DEADLOCKS)
    done = at_once(*[lambda: delete(engine)] * 3)
    assert sum(each for each in done if isinstance(each, int)) == 300, done
    assert rows(engine, EVENTS) == []
    assert everything_but_the_ledger(engine) == before
    assert rows(engine, DEADLOCKS) == deadlocks


def test_events_may_be_recorded_meanwhile(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 7)
    known: list[Event] = [enrolled(number) for number in range(1, 11)]
    record(engine, *known, *(completed(1 + n % 10, 1, 1 + n % 30, seconds=n) for n in range(300)), days_ago=40)
    new = [maker(1 + n % 10, 1, 1 + n % 30, seconds=400 + n) for n in range(100) for maker in (viewed, corrected)]

    def publish() -> None:
        for start in range(0, len(new), 20):
            ingest(engine, entries(new[start : start + 20]))

    done = at_once(lambda: delete(engine), publish)
    assert [each for each in done if isinstance(each, Exception)] == []
    refresh_all(engine)
    assert audited(engine) == []


# ---- What an audit can tell afterwards -----------------------------------------------------------------------------


def test_an_audit_finds_nothing_and_counts_what_it_cannot_prove(engine: Engine) -> None:
    old(engine, viewed(1, 1, 1), corrected(1, 1, 2), viewed(1, 1, 3, seconds=9))
    assert unprovable(engine) == 0
    delete(engine)
    assert audited(engine) == []
    assert unprovable(engine) == 4, "two rows without events, the corrected one and the position"


def test_a_row_made_ahead_of_events_cannot_be_proved_once_events_were_deleted(engine: Engine) -> None:
    old(engine, viewed(1, 1, 1))
    execute(engine, "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 1, 2)")
    refresh_all(engine)
    assert unprovable(engine) == 0
    delete(engine)
    assert audited(engine) == []
    assert unprovable(engine) == 3, "the row that lost its event, the blank one and the position"


def test_a_row_that_is_what_the_events_left_say_is_proved(engine: Engine) -> None:
    old(engine, viewed(1, 1, 1))
    record(engine, completed(1, 1, 2, seconds=5))
    delete(engine)
    assert audited(engine) == []
    assert unprovable(engine) == 1, "the row without events; the other and the position are what the event left says"


def test_a_correction_that_comes_after_later_events_were_deleted_is_counted(engine: Engine) -> None:
    """It is all that is left of the lesson, so nothing tells what followed it."""
    old(engine, viewed(1, 1, 1, seconds=1), completed(1, 1, 1, seconds=9))
    delete(engine)
    record(engine, corrected(1, 1, 1, seconds=2), viewed(1, 1, 2, seconds=20))
    refresh_all(engine)
    assert audited(engine) == []
    assert unprovable(engine) == 1


def corrupted(engine: Engine, sql: str) -> list[str]:
    """Lesson 1 was viewed long ago and completed lately; the columns that an audit lists after the corruption."""
    old(engine, viewed(1, 1, 1, seconds=1))
    record(engine, completed(1, 1, 1, seconds=5))
    refresh_all(engine)
    delete(engine)
    assert audited(engine) == []
    execute(engine, sql)
    return [each.column for each in audited(engine) if each.table in {"user_course", "user_course_progress"}]


LOWER: dict[str, tuple[str, list[str]]] = {
    "the row is gone": ("DELETE FROM user_course_progress", ["*"]),
    "the status": ("UPDATE user_course_progress SET status = 'in_progress'", ["status"]),
    "the times": (
        "UPDATE user_course_progress SET last_viewed_at = NULL, completed_at = completed_at + interval '1 s'",
        ["last_viewed_at", "completed_at"],
    ),
    "a correction that never was": ("UPDATE user_course_progress SET corrected_at = now()", ["corrected_at"]),
    "the position": ("UPDATE user_course SET position_at = position_at - interval '1 s'", ["position_at"]),
    "the position is gone": (
        "UPDATE user_course SET position_at = NULL, position_event_id = NULL",
        ["position_at", "position_event_id"],
    ),
}


@pytest.mark.parametrize(("sql", "columns"), LOWER.values(), ids=LOWER)
def test_what_is_lower_than_the_events_left_is_found_and_rebuilt(engine: Engine, sql: str, columns: list[str]) -> None:
    assert corrupted(engine, sql) == columns
    rebuild(engine)
    assert rows(engine, PROGRESS) == [(1, "completed", at(5), at(5))]
    assert rows(engine, "SELECT position_at FROM user_course") == [(at(5),)]
    assert audited(engine) == []
    refresh_all(engine)
    assert audited(engine) == []


def test_what_is_higher_is_taken_at_its_word_and_counted(engine: Engine) -> None:
    higher = "UPDATE user_course_progress SET last_viewed_at = now(), completed_at = '2001-01-01'"
    assert corrupted(engine, higher) == []
    assert unprovable(engine) == 1
    before = snapshot(engine)["user_course_progress"]
    rebuild(engine)
    assert snapshot(engine)["user_course_progress"] == before


def test_a_row_without_any_event_left_is_never_set_to_zero(engine: Engine) -> None:
    old(engine, completed(1, 1, 1, seconds=5))
    delete(engine)
    execute(engine, "DELETE FROM user_course_summary")
    rebuild(engine)
    assert rows(engine, PROGRESS) == [(1, "completed", at(5), at(5))]
    assert rows(engine, "SELECT completed_lessons, current_lesson_id FROM user_course_summary") == [(1, 1)]


def test_an_enrollment_whose_history_is_whole_is_proved_as_before(engine: Engine) -> None:
    old(engine, viewed(1))
    record(engine, enrolled(2), viewed(2))
    refresh_all(engine)
    delete(engine)
    execute(engine, "UPDATE user_course_progress SET status = 'completed', completed_at = now()")
    assert {each.key[0] for each in audited(engine) if each.table == "user_course_progress"} == {2}
    assert unprovable(engine) == 2
