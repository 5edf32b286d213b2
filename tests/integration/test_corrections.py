"""Corrections in PostgreSQL: earlier events are silent, later ones merge, and the position stays."""

from itertools import permutations

import pytest
from sqlalchemy import Engine

from tests.support.events import at, completed, corrected, enrolled, entries, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.tables import clear, contents, rows
from worker.contract.event import Event, LedgerEvent
from worker.progress.ingest import ingest

LOW, HIGH = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
ROW = "SELECT status::text, last_viewed_at, completed_at, corrected_at FROM user_course_progress"
ENROLLED = enrolled()
RESET = corrected(seconds=5)
DONE = corrected(seconds=5, status="completed", last_viewed_at=at(1), completed_at=at(1))

CASES: dict[str, tuple[list[LedgerEvent], tuple[object, ...]]] = {
    "it takes a completion back": ([completed(seconds=1), RESET], ("not_started", None, None, at(5))),
    "it may set a completion": ([viewed(seconds=1), DONE], ("completed", at(1), at(1), at(5))),
    "earlier events are silent": ([RESET, completed(seconds=4)], ("not_started", None, None, at(5))),
    "events of its moment are silent": ([RESET, completed(seconds=5)], ("not_started", None, None, at(5))),
    "later views merge": ([DONE, viewed(seconds=6)], ("completed", at(6), at(1), at(5))),
    "later completions merge": (
        [RESET, completed(seconds=7), completed(seconds=6)],
        ("completed", at(7), at(6), at(5)),
    ),
    "the latest rules": ([corrected(seconds=9), DONE], ("not_started", None, None, at(9))),
    "the latest rules over events between": (
        [DONE, completed(seconds=7), corrected(seconds=9, status="in_progress")],
        ("in_progress", None, None, at(9)),
    ),
    "of a moment the higher identity rules": (
        [corrected(seconds=5, id=HIGH), corrected(seconds=5, id=LOW, status="completed")],
        ("not_started", None, None, at(5)),
    ),
    "its times may be later than itself": (
        [corrected(seconds=5, last_viewed_at=at(60), completed_at=at(60)), viewed(seconds=8)],
        ("in_progress", at(60), at(60), at(5)),
    ),
}


@pytest.mark.parametrize(("events", "row"), CASES.values(), ids=CASES)
def test_in_every_order_and_split(engine: Engine, events: list[LedgerEvent], row: tuple[object, ...]) -> None:
    for order in permutations(events):
        for size in (1, len(order)):
            clear(engine)
            ingest(engine, entries([ENROLLED]))
            for start in range(0, len(order), size):
                ingest(engine, entries(order[start : start + size]))
            assert rows(engine, ROW) == [row]
            assert_tables_equal_model(engine, [ENROLLED, *order])


def test_a_correction_never_moves_the_position(engine: Engine) -> None:
    events: list[Event] = [ENROLLED, viewed(1, 2, 2, seconds=1)]
    ingest(engine, entries(events))
    before = contents(engine)["user_course"]
    ingest(engine, entries([corrected(1, 9, 9, seconds=50, status="completed", completed_at=at(50))]))
    assert contents(engine)["user_course"] == before


def test_an_event_under_a_correction_still_moves_the_position(engine: Engine) -> None:
    ingest(engine, entries([ENROLLED, corrected(1, 1, 1, seconds=50)]))
    ingest(engine, entries([viewed(1, 1, 1, seconds=3)]))
    assert rows(engine, "SELECT current_topic, position_at FROM user_course") == [(1, at(3))]


def test_a_silent_event_is_in_the_ledger_and_changes_nothing_else(engine: Engine) -> None:
    ingest(engine, entries([ENROLLED, viewed(1, 9, 9, seconds=40), RESET]))
    everything = "SELECT * FROM user_course_progress JOIN user_course ON user_course.id = user_course_id ORDER BY 1"
    before = rows(engine, everything)
    ingest(engine, entries([completed(seconds=2)]))
    assert rows(engine, everything) == before
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(3,)]


def test_a_correction_of_an_unknown_enrollment_is_parked(engine: Engine) -> None:
    outcome = ingest(engine, entries([corrected(77)]))
    assert outcome.parked == 1
    assert rows(engine, "SELECT reason, user_course_id FROM dead_letter") == [("unknown_enrollment", 77)]
