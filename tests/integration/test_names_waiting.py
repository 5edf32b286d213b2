"""Thousands of events wait for lessons that nothing has named: a sweep of them costs little, and finds all it can."""

import time

import pytest
from sqlalchemy import Engine

from tests.support.events import entries
from tests.support.named import named_outlined, named_viewed
from tests.support.tables import counted_statements, execute, rows
from worker.contract.entry import Reason
from worker.progress.ingest import ingest
from worker.progress.outcome import Outcome
from worker.progress.redrive import PAGE, sweep_parked

LETTERS, LESSONS, AMBIGUOUS = 20_000, 5_000, 50
READ = "SELECT id, stream, entry_id, body"
WAITING = "SELECT reason, count(*), count(DISTINCT lesson_key) FROM dead_letter GROUP BY reason"


def sweep(engine: Engine, what: str) -> tuple[Outcome, list[str]]:
    started = time.monotonic()
    with counted_statements(engine) as sent:
        outcome = sweep_parked(engine)
    print(f"\nsweep, {what}: {len(sent)} statements, {time.monotonic() - started:.2f} s")
    return outcome, sent


@pytest.mark.second_tier
def test_a_sweep_of_twenty_thousand_waiting_events_costs_little(engine: Engine) -> None:
    events = [named_viewed(f"u{n % 300}", f"l{n % LESSONS}", None, seconds=n / 1_000) for n in range(LETTERS)]
    for start in range(0, LETTERS, 4_000):
        ingest(engine, entries(events[start : start + 4_000]))
    assert rows(engine, WAITING) == [(Reason.UNKNOWN_LESSON, LETTERS, LESSONS)]

    idle, few = sweep(engine, "none is known")
    assert (idle, few) == (Outcome(), sweep(engine, "none is known, again")[1])
    assert len(few) <= 10

    lessons = [f"l{number}" for number in range(AMBIGUOUS)]
    for course in ("c1", "c2"):
        ingest(engine, entries([named_outlined(course, lessons)]))
    idle, sent = sweep(engine, "some are in two courses")
    assert (idle, len(sent)) == (Outcome(), len(few))
    assert not any(READ in each for each in sent), "they are not even read"

    lessons = [f"l{number}" for number in range(LESSONS)]
    ingest(engine, entries([named_outlined("c2", lessons, seconds=1)]))
    execute(engine, "ANALYZE")
    done, sent = sweep(engine, "all the others are known")
    ambiguous = AMBIGUOUS * LETTERS // LESSONS
    assert (done.applied, done.dead_letters) == (LETTERS - ambiguous, [])
    assert len(sent) <= 20 * (LETTERS // PAGE + 1)
    assert rows(engine, WAITING) == [(Reason.UNKNOWN_LESSON, ambiguous, AMBIGUOUS)]
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(LETTERS - ambiguous,)]


def test_ambiguous_ones_are_not_tried_in_every_sweep_and_the_others_are_applied(engine: Engine) -> None:
    for course in ("c1", "c2"):
        ingest(engine, entries([named_outlined(course, ["both"])]))
    ingest(engine, entries([named_viewed(lesson=name, course=None) for name in ("both", "one", "none")]))
    ingest(engine, entries([named_outlined("c2", ["both", "one"], seconds=1)]))
    assert sweep_parked(engine).applied == 1
    with counted_statements(engine) as sent:
        assert sweep_parked(engine) == Outcome()
    assert not any(READ in each for each in sent)
    assert sorted(rows(engine, "SELECT lesson_key FROM dead_letter")) == [("both",), ("none",)]


def test_one_that_waits_for_another_lesson_now_is_found_by_that(engine: Engine) -> None:
    """A person has corrected its body: what it waits for is read from the event that it is."""
    (wrong,) = entries([named_viewed(lesson="wrong", course=None, id="x")])
    ingest(engine, [wrong])
    body = named_viewed(lesson="right", course=None, id="x").to_json()
    execute(engine, "UPDATE dead_letter SET body = :body", body=body)
    ingest(engine, entries([named_outlined(lessons=["wrong"])]))
    assert sweep_parked(engine).applied == 0
    assert rows(engine, "SELECT lesson_key FROM dead_letter") == [("right",)]
    ingest(engine, entries([named_outlined(lessons=["wrong", "right"], seconds=1)]))
    assert sweep_parked(engine).applied == 1
