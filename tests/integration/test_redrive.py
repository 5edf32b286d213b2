"""Parked events are applied when their enrollment comes; others when a person says so after a fix."""

from collections.abc import Callable
from threading import Thread

import pytest
from sqlalchemy import Engine

from tests.support.events import as_json, completed, corrected, enrolled, entries, entry, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.tables import execute, insert_as_lms, rows, snapshot
from worker.consume.maintenance import maintain
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.progress.redrive import PAGE, apply_parked, redrive, sweep_parked
from worker.settings import Settings
from worker.streams.connection import Redis

LETTERS = "SELECT id FROM dead_letter ORDER BY id"
REASONS = "SELECT reason, count(*) FROM dead_letter GROUP BY reason"


def letter_ids(engine: Engine) -> list[int]:
    return [number for (number,) in rows(engine, LETTERS)]


def test_early_events_are_parked_by_the_thousands_and_applied_when_the_enrollment_comes(engine: Engine) -> None:
    early: list[Event] = [viewed(1 + n % 2, 1 + n % 7, 1 + n % 11, seconds=n) for n in range(2 * PAGE + 10)]
    strangers: list[Event] = [viewed(3, seconds=n) for n in range(10)]
    assert ingest(engine, entries([*strangers, *early])).parked == len(strangers + early)
    came: list[Event] = [enrolled(1), enrolled(2)]
    outcome = apply_parked(engine, ingest(engine, entries(came)).enrolled)
    assert outcome.applied == len(early)
    assert_tables_equal_model(engine, [*came, *early, *strangers])


def test_a_sweep_applies_what_waits_for_a_row_that_the_lms_inserted(
    engine: Engine, redis: Redis, settings: Settings
) -> None:
    early: list[Event] = [viewed(1), completed(1, 1, 2), corrected(1, 1, 3), viewed(2)]
    ingest(engine, entries(early))
    assert maintain(settings, redis, engine).parked_applied == 0
    insert_as_lms(engine, 1)
    assert maintain(settings, redis, engine).parked_applied == 3
    assert maintain(settings, redis, engine).parked_applied == 0
    assert_tables_equal_model(engine, early, lms_rows={1: (70, 30)})


def test_a_parked_event_that_came_again_meanwhile_counts_once(engine: Engine) -> None:
    event = viewed()
    ingest(engine, entries([event, event]))
    ingest(engine, entries([enrolled(), event]))
    assert sweep_parked(engine).repeated == 2
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]
    assert letter_ids(engine) == []


def test_parked_events_are_recorded_in_the_order_of_their_arrival(engine: Engine) -> None:
    arrival: list[Event] = [viewed(1, 1, 1, id="same"), viewed(1, 2, 2, id="same")]
    for event in arrival:
        ingest(engine, entries([event]))
    insert_as_lms(engine, 1)
    sweep_parked(engine)
    assert_tables_equal_model(engine, arrival, lms_rows={1: (70, 30)})


def test_what_waits_for_others_is_left_alone(engine: Engine) -> None:
    ingest(engine, entries([viewed(1), viewed(2)]))
    before = snapshot(engine)["dead_letter"]
    assert apply_parked(engine, []).applied == 0
    assert apply_parked(engine, [3]).applied == 0
    sweep_parked(engine)
    assert snapshot(engine)["dead_letter"] == before


def test_a_letter_still_without_its_enrollment_stays_as_it_is(engine: Engine) -> None:
    ingest(engine, entries([viewed(1)]))
    before = snapshot(engine)["dead_letter"]
    assert redrive(engine, letter_ids(engine)).parked == 1
    assert snapshot(engine)["dead_letter"] == before


def test_a_redrive_after_a_fix_applies_the_letter_and_deletes_it(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, "ALTER TABLE user_course_progress ADD CONSTRAINT rule CHECK (lesson_id <> 13)")
    event = viewed(1, 1, 13)
    ingest(engine, entries([event]), final=True)
    assert rows(engine, REASONS) == [("data_error", 1)]
    assert redrive(engine, letter_ids(engine)).applied == 0
    assert rows(engine, REASONS) == [("data_error", 1)]
    execute(engine, "ALTER TABLE user_course_progress DROP CONSTRAINT rule")
    assert redrive(engine, letter_ids(engine)).applied == 1
    assert_tables_equal_model(engine, [event], lms_rows={1: (70, 30)})


def test_a_redrive_gives_a_letter_the_reason_of_this_try_and_keeps_its_bytes(engine: Engine) -> None:
    bad = entry(as_json(viewed()) | {"type": "lesson.opened"})
    ingest(engine, [bad])
    execute(engine, "UPDATE dead_letter SET reason = 'crashes_worker', detail = 'x'")
    assert redrive(engine, letter_ids(engine)).rejected == 1
    ((reason, body),) = rows(engine, "SELECT reason, body FROM dead_letter")
    assert (reason, bytes(body)) == ("unknown_type", bad.body)


def test_a_parked_letter_that_postgresql_refuses_once_applied_waits_no_more(engine: Engine) -> None:
    execute(engine, "ALTER TABLE user_course_progress ADD CONSTRAINT rule CHECK (lesson_id <> 13)")
    ingest(engine, entries([viewed(1, 1, 13), viewed(1, 1, 1)]))
    insert_as_lms(engine, 1)
    sweep_parked(engine)
    assert rows(engine, REASONS) == [("data_error", 1)]
    assert rows(engine, "SELECT lesson_id FROM user_course_progress") == [(1,)]
    before = snapshot(engine)
    sweep_parked(engine)
    assert snapshot(engine) == before


def test_a_redriven_enrollment_lets_its_parked_events_in(engine: Engine) -> None:
    execute(engine, "ALTER TABLE user_course ADD CONSTRAINT rule CHECK (user_id <> 13)")
    events: list[Event] = [enrolled(1, user_id=13), viewed(1)]
    ingest(engine, entries(events), final=True)
    execute(engine, "ALTER TABLE user_course DROP CONSTRAINT rule")
    redrive(engine, letter_ids(engine))
    sweep_parked(engine)
    assert_tables_equal_model(engine, events)


def test_unknown_letters_are_no_error(engine: Engine) -> None:
    assert redrive(engine, []).applied == 0
    assert redrive(engine, [1, 2**62]).applied == 0


@pytest.mark.parametrize("work", [sweep_parked, lambda engine: apply_parked(engine, [1, 2, 3])], ids=["sweep", "apply"])
def test_several_workers_at_once_apply_everything_once(engine: Engine, work: Callable[[Engine], object]) -> None:
    early: list[Event] = [viewed(1 + n % 3, 1 + n % 5, 1, seconds=n) for n in range(3_000)]
    ingest(engine, entries(early))
    insert_as_lms(engine, 1, 2, 3)
    threads = [Thread(target=work, args=[engine]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sweep_parked(engine)
    assert_tables_equal_model(engine, early, lms_rows=dict.fromkeys([1, 2, 3], (70, 30)))
