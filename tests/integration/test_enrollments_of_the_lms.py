"""Enrollments that the LMS inserted itself, and those whose events meet others' locks."""

import pytest
from sqlalchemy import Engine, text

from tests.support.events import body, completed, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import execute, rows
from worker.contract.entry import Entry
from worker.progress.ingest import ingest

OWNED = "SELECT user_id, course_id, timezone FROM user_course WHERE id = 1"
DAYS = "SELECT day::text FROM daily_activity ORDER BY day"
REASONS = "SELECT reason FROM dead_letter ORDER BY id"


def test_its_events_tell_its_time_zone_from_their_time_on(engine: Engine) -> None:
    execute(engine, "INSERT INTO user_course (id, user_id, course_id, timezone) VALUES (1, 7, 3, 'America/New_York')")
    told = enrolled(1, timezone="Asia/Tokyo", time="2025-07-01T00:00:00Z", id="told")
    views = [viewed(1, time="2025-06-16T20:00:00Z"), viewed(1, time="2025-07-16T20:00:00Z")]
    assert ingest(engine, entries([told, *views])).applied == 3
    refresh_all(engine)
    assert rows(engine, DAYS) == [("2025-06-16",), ("2025-07-17",)]
    assert rows(engine, OWNED) == [(7, 3, "America/New_York")], "the row stays as the LMS wrote it"
    again = ingest(engine, entries([told, enrolled(1, timezone="UTC", time="2025-07-01T00:00:00Z", id="told")]))
    assert (again.repeated, [letter.reason for letter in again.dead_letters]) == (1, ["identity_conflict"])
    assert ingest(engine, entries([enrolled(1, course_id=9)])).superseded == 1
    assert ingest(engine, entries([enrolled(1, user_id=99)])).dead_letters[0].reason == "enrollment_conflict"
    assert audited(engine) == []


def test_a_zone_that_the_lms_set_since_outlives_an_event_of_before(engine: Engine) -> None:
    ingest(engine, entries([enrolled(1, timezone="America/Los_Angeles", seconds=-1000)]))
    execute(engine, "UPDATE user_course SET timezone = 'Asia/Seoul'")
    ingest(engine, entries([enrolled(1, timezone="Pacific/Honolulu", seconds=-500)]))
    assert rows(engine, OWNED) == [(7, 3, "Asia/Seoul")]
    execute(engine, "UPDATE user_course SET timezone = 'Pacific/Honolulu'")
    ingest(engine, entries([viewed(1, time="2027-06-01T02:00:00Z")]))
    refresh_all(engine)
    assert rows(engine, DAYS) == [("2027-05-31",)]


@pytest.mark.parametrize("careful", [False, True])
def test_the_first_user_and_the_latest_course_rule_also_beside_somebodys_lock(engine: Engine, careful: bool) -> None:
    first, later = enrolled(1, course_id=5, seconds=100), enrolled(1, course_id=4, seconds=0)
    others = enrolled(1, user_id=8, course_id=2, seconds=200)
    with engine.connect() as other:
        other.execute(text("INSERT INTO user_course (id, user_id, course_id) VALUES (99, 1, 9)"))
        outcome = ingest(engine, entries([first, later, others, enrolled(99, course_id=9)]), careful=careful)
        assert len(outcome.deferred) == 1
        assert rows(engine, OWNED)[0][:2] == (7, 5)
        assert [letter.reason for letter in outcome.dead_letters] == ["enrollment_conflict"]
        other.rollback()


def test_an_outline_of_an_older_worker_is_not_replaced_by_an_earlier_one(engine: Engine) -> None:
    ingest(engine, entries([outlined(3, [(1, 1), (1, 2)], seconds=100)]))
    execute(engine, "DELETE FROM outline_event")  # which an older worker does not know
    assert ingest(engine, entries([outlined(3, [(1, 9)], seconds=0)])).superseded == 1
    assert rows(engine, "SELECT lesson_id FROM course_lesson ORDER BY ordinal") == [(1,), (2,)]


def test_time_after_a_tie_is_spent_in_the_lesson_that_was_opened(engine: Engine) -> None:
    done = completed(1, 1, 3, id="ffffffff-0000-4000-8000-00000000000a")
    opened = viewed(1, 1, 4, id="10000000-0000-4000-8000-00000000000a")
    ingest(engine, entries([enrolled(1), outlined(3, [(1, 3), (1, 4)]), done, opened, viewed(1, 1, 4, seconds=600)]))
    refresh_all(engine)
    assert rows(engine, "SELECT lesson_id, seconds FROM lesson_activity ORDER BY 1") == [(3, 0.0), (4, 600.0)]
    assert audited(engine) == []


def test_another_sequence_is_another_event(engine: Engine) -> None:
    ingest(engine, entries([enrolled(1, id="e"), viewed(1, id="v"), outlined(3, id="o")]))
    other = [enrolled(1, id="e", sequence=5), viewed(1, id="v", sequence=5), outlined(3, id="o", sequence=5)]
    assert ingest(engine, entries(other)).repeated == 0
    assert rows(engine, REASONS) == [("identity_conflict",)] * 3


def test_no_earlier_places_are_no_places(engine: Engine) -> None:
    event = outlined(3, [(1, 1)], id="o")
    empty = body(event).replace(b'"lesson_id":1', b'"lesson_id":1,"moved_from":[]')
    outcome = ingest(engine, [*entries([event]), Entry("lesson-events", "1900000000001-0", empty)])
    assert (outcome.applied, outcome.repeated) == (1, 1)


def test_entries_of_one_id_with_other_fields_are_letters_of_their_own(engine: Engine) -> None:
    for value in (b"one", b"two", b"one"):
        ingest(engine, [Entry("lesson-events", "5-1", None, (b"foo", value))])
    assert rows(engine, "SELECT fields FROM dead_letter ORDER BY id") == [([b"foo", b"one"],), ([b"foo", b"two"],)]


@pytest.mark.parametrize("name", ["Not/AZone", "", " UTC", "europe/berlin", "../x", "EST5EDT4"])
def test_a_zone_that_there_is_not_counts_as_not_sent(engine: Engine, name: str) -> None:
    told = body(enrolled(1)).replace(b'"timezone":"UTC"', b'"timezone":"%s"' % name.encode())
    outcome = ingest(engine, [Entry("lesson-events", "1900000000001-0", told)])
    assert (outcome.applied, outcome.dropped) == (1, 1)
    assert rows(engine, OWNED) == [(7, 3, "UTC")]
