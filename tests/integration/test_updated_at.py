"""`updated_at` follows every change of a row or a position, by PostgreSQL's clock, and stays when nothing changed."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Thread

import pytest
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF
from tests.support.events import at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from tests.support.tables import execute, rows
from tests.support.wait import wait_until
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit.repair import rebuild_scope
from worker.audit.scope import Scope
from worker.audit.void import void_event
from worker.contract.event import CloudEvent, LessonActivity
from worker.database.engine import open_engine
from worker.progress.ingest import ingest
from worker.progress.lesson_progress import create_progress, mark_lesson, update_progress
from worker.settings import Settings

KEY = (1, 1, 1)
ROW = "SELECT updated_at FROM user_course_progress WHERE (topic_id, lesson_id) = (1, 1)"
ENROLLMENT = "SELECT updated_at FROM user_course"
LOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
"""What the columns are set to first."""

ENROLLED = enrolled()
VOIDED = "00000000-0000-4000-8000-000000000001"
TIED = [viewed(1, 1, 1), viewed(1, 1, 2, id="ffffffff-0000-4000-8000-000000000000")]
"""The outline decides which of the two is current, without one the greater id does."""


def _rebuild(engine: Engine) -> None:
    for _ in rebuild_scope(engine, Scope(), 60, AnalysisThresholds().stuck, IDLE_CUTOFF.total_seconds()):
        pass


def _record(*events: CloudEvent) -> Callable[[Engine], object]:
    return lambda engine: ingest(engine, entries(events))


def _as_lms(statement: str) -> Callable[[Engine], None]:
    return lambda engine: execute(engine, statement)


Act = Callable[[Engine], object]
BROKEN = "UPDATE user_course_progress SET status = 'in_progress', completed_at = NULL"
MISPLACED = "UPDATE user_course SET current_lesson = 77"

OF_THE_ROW: dict[str, tuple[Sequence[CloudEvent], list[Act]]] = {
    "a later view": ([viewed()], [_record(viewed(seconds=1))]),
    "an earlier completion": ([completed(seconds=5)], [_record(completed(seconds=2))]),
    "a section": ([viewed()], [_record(viewed(seconds=-1, section_id=2))]),
    "a section of a corrected lesson": ([viewed(), corrected(seconds=9)], [_record(viewed(section_id=2))]),
    "a later section of a corrected lesson": (
        [viewed(section_id=2), corrected(seconds=9)],
        [_record(viewed(seconds=1, section_id=3))],
    ),
    "a view after a correction": ([corrected(seconds=9)], [_record(viewed(seconds=10))]),
    "a correction": ([viewed()], [_record(corrected(seconds=9))]),
    "a correction by hand": ([viewed()], [lambda engine: update_progress(engine, KEY, {"completed_at": at(3)})]),
    "an event that is voided": ([viewed(), completed(seconds=1, id=VOIDED)], [lambda e: void_event(e, VOIDED, 1, 10)]),
    "a repair": ([completed()], [_as_lms(BROKEN), _rebuild]),
}
OF_THE_ENROLLMENT: dict[str, tuple[Sequence[CloudEvent], list[Act]]] = {
    "a later lesson": ([viewed()], [_record(viewed(1, 1, 2, seconds=1))]),
    "the lesson's section, named late": ([viewed()], [_record(viewed(seconds=-1, section_id=2))]),
    "another course": ([viewed()], [_record(enrolled(course_id=4, seconds=9))]),
    "the outline decides otherwise": (TIED, [_record(outlined(3, [(1, 2), (1, 1)])), refresh_all]),
    "an event that is voided": (
        [viewed(), viewed(1, 1, 2, seconds=1, id=VOIDED)],
        [lambda e: void_event(e, VOIDED, 1, 10)],
    ),
    "a repair": ([viewed()], [_as_lms(MISPLACED), _rebuild]),
}
CASES = [(ROW, *each) for each in OF_THE_ROW.values()] + [(ENROLLMENT, *each) for each in OF_THE_ENROLLMENT.values()]
NAMES = [*(f"row: {name}" for name in OF_THE_ROW), *(f"enrollment: {name}" for name in OF_THE_ENROLLMENT)]


def _begin(engine: Engine, known: Sequence[CloudEvent]) -> None:
    ingest(engine, entries([ENROLLED, *known]))
    for table in ("user_course", "user_course_progress"):
        execute(engine, f"UPDATE {table} SET updated_at = :at", at=LONG_AGO)


@pytest.mark.parametrize(("sql", "known", "acts"), CASES, ids=NAMES)
def test_it_follows_each_change(engine: Engine, sql: str, known: Sequence[CloudEvent], acts: list[Act]) -> None:
    _begin(engine, known)
    ((before,),) = rows(engine, "SELECT clock_timestamp()")
    for act in acts:
        act(engine)
    ((updated_at, now),) = rows(engine, f"SELECT ({sql}), clock_timestamp()")
    assert before < updated_at < now


OTHERS: dict[str, tuple[Sequence[CloudEvent], list[Act]]] = {
    "the same events again": (
        every := [viewed(section_id=2), completed(seconds=1), *TIED, corrected(1, 1, 2, seconds=9)],
        [_record(ENROLLED, *every), _record(*reversed(every))],
    ),
    "an event that changes no row": ([viewed(seconds=5)], [_record(viewed(seconds=2))]),
    "an event that a correction overrides": (
        [viewed(seconds=5), corrected(seconds=9)],
        [_record(completed(seconds=4))],
    ),
    "a row that exists": ([viewed()], [lambda engine: create_progress(engine, KEY, {"completed_at": at(3)})]),
    "an outline": ([viewed()], [_record(outlined(3, [(1, 1), (1, 2)])), refresh_all]),
    "a lesson that moves": ([viewed()], [_record(outlined(3, [(2, 1, None, [(1, 1)])])), refresh_all]),
    "a repeated rebuild": ([viewed()], [refresh_all, _rebuild]),
}


@pytest.mark.parametrize(("known", "acts"), OTHERS.values(), ids=OTHERS)
def test_it_stays_when_nothing_changed(engine: Engine, known: Sequence[CloudEvent], acts: list[Act]) -> None:
    _begin(engine, known)
    for act in acts:
        act(engine)
    every = rows(engine, "SELECT updated_at FROM user_course UNION SELECT updated_at FROM user_course_progress")
    assert every == [(LONG_AGO,)]


def test_waiting_for_the_enrollment_does_not_set_it_back(settings: Settings, engine: Engine) -> None:
    """The transaction that waits began before the other's change."""
    _begin(engine, [viewed()])
    patient = open_engine(settings.model_copy(update={"lock_timeout_seconds": 30}))
    activity = LessonActivity(user_course_id=1, topic_id=1, lesson_id=1)
    waiting = Thread(target=mark_lesson, args=[patient, "viewed", activity, None, None])
    with engine.connect() as other:
        other.exec_driver_sql("SELECT FROM user_course WHERE id = 1 FOR UPDATE")
        waiting.start()
        wait_until(lambda: rows(engine, LOCKED) == [(1,)])
        other_change = other.exec_driver_sql(
            "UPDATE user_course_progress SET updated_at = clock_timestamp() RETURNING updated_at"
        ).scalar_one()
        other.commit()
    waiting.join(30)
    patient.dispose()
    for sql in (ROW, ENROLLMENT):
        assert rows(engine, sql)[0][0] > other_change
