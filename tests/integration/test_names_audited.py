"""An audit of what named events made finds nothing, a rebuild repairs it, and a named event can be voided."""

import json

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import at, entries
from tests.support.named import named_completed, named_enrolled, named_outlined, named_viewed, rows_by_name
from tests.support.rollups import audited, refresh_all
from tests.support.tables import contents, execute
from worker.audit.void import void_event
from worker.contract.named_event import NamedEvent
from worker.progress.ingest import ingest
from worker.progress.redrive import sweep_parked

HISTORY: list[NamedEvent] = [
    named_outlined("c1", [{"lesson": "l1", "aliases": ["quiz:1"], "topic": "t1"}, "l2", "l3"]),
    *(named_viewed(f"u{n}", f"l{n % 4}", "c1", seconds=60 * n, duration_seconds=20) for n in range(24)),
    *(named_completed(f"u{n}", "quiz:1", None, seconds=5_000 + n) for n in range(9)),
    *(named_viewed(f"u{n}", f"l{n % 4}", "c2", seconds=90 * n) for n in range(9)),
    named_viewed("ann", "l1", "c1", enrols=False, seconds=4),
    named_enrolled("ann", "c1", timezone="Asia/Tokyo", seconds=-5),
    named_enrolled("u1", "c1", timezone="Europe/Berlin", seconds=100),
    named_viewed("eve", "nowhere", None, seconds=4),
]


@pytest.fixture(autouse=True)
def _history(engine: Engine) -> None:
    for start in range(0, len(HISTORY), 7):
        ingest(engine, entries(HISTORY[start : start + 7]))
    sweep_parked(engine)
    refresh_all(engine)


def test_an_audit_finds_nothing(engine: Engine, environment: dict[str, str]) -> None:
    assert audited(engine) == []
    assert json.loads(invoke(environment, "audit", "--json").stdout)["differences"] == []


def test_a_rebuild_repairs_it(engine: Engine, environment: dict[str, str]) -> None:
    before = contents(engine)
    execute(
        engine,
        "UPDATE user_course_progress SET status = 'in_progress', completed_at = NULL WHERE status = 'completed'",
        "UPDATE user_course SET current_lesson = 7",
    )
    assert audited(engine) != []
    invoke(environment, "rebuild", "--json")
    refresh_all(engine)
    assert audited(engine) == []
    assert contents(engine) == before


def test_a_named_event_that_is_voided_stays_out_however_often_it_comes_again(engine: Engine) -> None:
    wrong = named_completed("u0", "l2", "c1", seconds=9_999)
    ingest(engine, entries([wrong]))
    key = ("moodle", "u0", "c1", "l2")
    assert rows_by_name(engine)[key] == ("completed", at(9_999), at(9_999))
    void_event(engine, wrong.event_id, None, 10)
    again = ingest(engine, entries([wrong, named_viewed("u0", "l2", "c1", seconds=10_001)]))
    assert (again.applied, again.dead_letters) == (1, [])
    assert rows_by_name(engine)[key] == ("in_progress", at(10_001), None)
    refresh_all(engine)
    assert audited(engine) == []


def test_an_enrollment_by_an_event_that_is_voided_is_left(engine: Engine) -> None:
    """The enrollment that the event has made is nobody's event, so it stays."""
    only = named_viewed("zoe", "l2", "c1", seconds=1)
    ingest(engine, entries([only]))
    void_event(engine, only.event_id, None, 10)
    refresh_all(engine)
    assert audited(engine) == []
    assert rows_by_name(engine)["moodle", "zoe", "c1", "l2"] == ("not_started", None, None)
