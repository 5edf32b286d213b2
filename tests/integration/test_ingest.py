"""A batch is recorded in one transaction: good entries applied, bad ones set aside, early ones parked."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.events import as_json, at, body, completed, corrected, enrolled, entries, entry, outlined, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.tables import contents, counted_statements, execute, rows, snapshot
from worker.contract.entry import Entry, Reason
from worker.contract.event import Event
from worker.progress import dead_letters
from worker.progress.dead_letters import DeadLetter
from worker.progress.ingest import ingest, store_dead_letter


def test_one_batch_of_everything_equals_the_rules(engine: Engine) -> None:
    events: list[Event] = [
        viewed(1, 1, 1, seconds=1, section_id=4, duration_seconds=60),
        enrolled(1, timezone="Europe/Berlin"),
        outlined(3, [(1, 1, "One"), (1, 2, "Two")]),
        completed(1, 1, 1, seconds=2),
        corrected(1, 1, 2, status="completed", completed_at=at(0), seconds=3),
        viewed(2, 1, 1),
        enrolled(3),
        viewed(3, 2, 2),
    ]
    outcome = ingest(engine, entries(events))
    assert (outcome.applied, outcome.repeated, outcome.parked, outcome.rejected) == (7, 0, 1, 0)
    assert sorted(outcome.enrolled) == [1, 3]
    assert_tables_equal_model(engine, events)


def test_an_empty_batch_writes_nothing(engine: Engine) -> None:
    before = snapshot(engine)
    assert ingest(engine, []).applied == 0
    assert snapshot(engine) == before


def test_redelivered_batch_changes_nothing(engine: Engine) -> None:
    batch = entries(
        [enrolled(), outlined(lessons=[(1, 1)]), viewed(), completed(seconds=1), corrected(1, 1, 2), viewed(2)]
    )
    batch += [entry(b"broken"), entry(None)]
    ingest(engine, batch)
    before = snapshot(engine)
    outcome = ingest(engine, batch)
    assert (outcome.applied, outcome.repeated, outcome.superseded) == (0, 5, 0)
    assert outcome.enrolled == []
    assert snapshot(engine) == before


def test_an_event_sent_twice_counts_once(engine: Engine) -> None:
    event = viewed(seconds=5)
    outcome = ingest(engine, entries([enrolled(), event, event]))
    assert (outcome.applied, outcome.repeated) == (2, 1)
    assert_tables_equal_model(engine, [enrolled(id=_enrollment_id(engine)), event])


def test_view_after_complete_keeps_completed(engine: Engine) -> None:
    ingest(engine, entries([enrolled(), completed(seconds=1)]))
    ingest(engine, entries([viewed(seconds=9)]))
    assert rows(engine, "SELECT status::text, last_viewed_at, completed_at FROM user_course_progress") == [
        ("completed", at(9), at(1))
    ]


def test_position_is_taken_together_and_a_late_event_never_moves_it(engine: Engine) -> None:
    position = "SELECT current_topic, current_lesson, current_section, position_at FROM user_course"
    ingest(engine, entries([enrolled(), viewed(1, 4, 5, section_id=6, seconds=10)]))
    assert rows(engine, position) == [(4, 5, 6, at(10))]
    ingest(engine, entries([viewed(1, 1, 1, section_id=1, seconds=9)]))
    assert rows(engine, position) == [(4, 5, 6, at(10))]
    ingest(engine, entries([completed(1, 7, 8, seconds=11)]))
    assert rows(engine, position) == [(7, 8, None, at(11))]


@pytest.mark.parametrize("bad", [b"broken", None, json.dumps(as_json(viewed()) | {"type": "unheard.of"}).encode()])
def test_neighbors_of_a_bad_entry_are_applied(engine: Engine, bad: bytes | None) -> None:
    good: list[Event] = [enrolled(), viewed(1, 1, 1), viewed(1, 1, 2)]
    batch = [entry(good[0]), entry(good[1]), entry(bad), entry(good[2])]
    outcome = ingest(engine, batch)
    assert (outcome.applied, outcome.rejected) == (3, 1)
    ((stream, entry_id, reason, body),) = rows(engine, "SELECT stream, entry_id, reason, body FROM dead_letter")
    assert (stream, entry_id, None if body is None else bytes(body)) == (batch[2].stream, batch[2].id, bad)
    assert_tables_equal_model(engine, good, rejected={reason: 1})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, Reason.MISSING_FIELD),
        (b"\x00\xff", Reason.INVALID_JSON),
        (b" " * (1024 * 1024 + 1), Reason.TOO_LARGE),
        (as_json(viewed()) | {"type": "lesson.opened"}, Reason.UNKNOWN_TYPE),
        (as_json(viewed()) | {"data": {}}, Reason.INVALID_EVENT),
        (as_json(viewed()) | {"time": "1979-12-31T00:00:00Z"}, Reason.TIME_OUT_OF_RANGE),
    ],
    ids=[reason.value for reason in list(Reason)[:6]],
)
def test_every_kind_of_bad_entry_is_kept_with_its_reason_and_bytes(
    engine: Engine, content: Any, reason: Reason
) -> None:
    bad = entry(content)
    ingest(engine, [bad])
    ((kept, detail, body),) = rows(engine, "SELECT reason, detail, body FROM dead_letter")
    assert (kept, None if body is None else bytes(body)) == (reason, bad.body)
    assert detail


@pytest.mark.parametrize("offset", ["+14:00", "+16:00", "+23:59", "-12:00", "-23:59"])
def test_any_offset_of_rfc_3339_names_a_moment(engine: Engine, offset: str) -> None:
    events: list[Event] = [
        enrolled(time=f"2025-07-01T00:00:00{offset}"),
        outlined(time=f"2025-07-01T00:00:00{offset}"),
        viewed(1, 1, 1, time=f"2025-07-14T10:30:00{offset}"),
        corrected(1, 1, 2, last_viewed_at=viewed(time=f"2025-07-14T10:30:00{offset}").time),
    ]
    ingest(engine, entries(events))
    assert_tables_equal_model(engine, events)


def test_of_unequal_bodies_with_one_identity_the_first_recorded_speaks(engine: Engine) -> None:
    first, second = viewed(1, 1, 1, id="same"), completed(1, 2, 2, id="same", seconds=9)
    arrival: list[Event] = [enrolled(), first, second]
    ingest(engine, entries(arrival[:2]))
    outcome = ingest(engine, [other := entry(second)])
    assert (outcome.applied, outcome.repeated) == (0, 0)
    assert [(letter.entry, letter.reason) for letter in outcome.dead_letters] == [(other, Reason.IDENTITY_CONFLICT)]
    assert_tables_equal_model(engine, arrival)


def test_an_entry_set_aside_keeps_its_bytes_and_a_printable_detail(engine: Engine) -> None:
    odd = Entry("s", "1-1", b"\x00 any bytes \xff")
    store_dead_letter(engine, odd, Reason.CRASHES_WORKER, "Boom: \x00\ud800" * 200)
    store_dead_letter(engine, odd, Reason.CRASHES_WORKER, "Boom: \x00\ud800" * 200)
    ((reason, detail, body),) = rows(engine, "SELECT reason, detail, body FROM dead_letter")
    assert (reason, bytes(body)) == ("crashes_worker", b"\x00 any bytes \xff")
    assert detail.startswith("Boom: ")
    assert len(detail) <= 500


def test_a_row_gone_with_its_enrollment_does_not_come_back(engine: Engine) -> None:
    batch = entries([enrolled(), viewed(), corrected(1, 1, 2)])
    ingest(engine, batch)
    execute(engine, "DELETE FROM user_course")
    assert contents(engine)["user_course_progress"] == []
    assert contents(engine)["lesson_event"] == []
    ingest(engine, batch[1:])
    assert contents(engine)["user_course_progress"] == []
    assert len(contents(engine)["dead_letter"]) == 2


def _enrollment_id(engine: Engine) -> str:
    return str(rows(engine, "SELECT enrolled_event_id FROM user_course")[0][0])


def test_other_bytes_under_a_known_entry_id_are_another_letter(engine: Engine) -> None:
    """As after a move between two Redis; also no field, an empty one and one of another Redis are told apart."""
    bodies = [b"one", b"two", b"", None]
    batch = [Entry("lesson-events", "1-1", body) for body in bodies]
    for each in [*batch, *batch]:
        ingest(engine, [each], seen_before=True)
    assert [body for (body,) in rows(engine, "SELECT body FROM dead_letter ORDER BY id")] == bodies


def test_only_the_letter_that_was_applied_goes(engine: Engine) -> None:
    early, other = viewed(1), viewed(2)
    first, second = (Entry("lesson-events", "1900000000000-1", body(event)) for event in (early, other))
    ingest(engine, [first, second])
    came: list[Event] = [enrolled(1)]
    ingest(engine, entries(came))
    ingest(engine, [first], seen_before=True)
    assert rows(engine, "SELECT user_course_id FROM dead_letter") == [(2,)]
    assert_tables_equal_model(engine, [*came, early, other])


def test_letters_are_put_and_deleted_by_tens_of_thousands(engine: Engine) -> None:
    batch = [Entry("lesson-events", f"{number // 2}-1", b"%d" % number) for number in range(20_000)]
    for _ in range(2):
        with counted_statements(engine) as sent, engine.begin() as connection:
            dead_letters.store_dead_letters(
                connection, [DeadLetter(each, Reason.INVALID_JSON, "broken") for each in batch]
            )
        assert len(sent) == 3
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(20_000,)]
    with counted_statements(engine) as sent, engine.begin() as connection:
        dead_letters.delete_dead_letters(connection, batch[1:])
    assert len(sent) == 3
    assert rows(engine, "SELECT body FROM dead_letter") == [(b"0",)]
