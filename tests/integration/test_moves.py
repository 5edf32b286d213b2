"""Learners who move: each day and hour is of the zone that was in force at its time, told by events or by the LMS."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.support.activity import expected_activity, stored_activity
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import execute, insert_as_lms, rows
from worker.analytics.course_analysis import analyze_course
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import Event
from worker.progress.ingest import ingest
from worker.progress.reference import fold

FIRST = datetime(2025, 6, 23, 14, tzinfo=UTC)
MOVED = FIRST + timedelta(days=5)
NOW = FIRST + timedelta(days=6)
TOLD = "SELECT user_course_id, occurred_at <= now(), timezone, by_lms FROM enrollment_event ORDER BY 1, occurred_at"
MARKED = "SELECT DISTINCT user_course_id FROM activity_change ORDER BY 1"


def travel(*, moved: bool = True) -> list[Event]:
    """Five days in Los Angeles, in the morning and in the evening by turns; then a move to Tokyo."""
    events: list[Event] = [
        outlined(3, [(1, number) for number in range(1, 9)], time=FIRST - timedelta(days=9)),
        enrolled(1, timezone="America/Los_Angeles", time=FIRST - timedelta(days=9)),
    ]
    events += [
        completed(1, 1, day + 1, time=FIRST + timedelta(days=day, hours=16 if day % 2 else 0)) for day in range(5)
    ]
    if moved:
        events.append(enrolled(1, timezone="Asia/Tokyo", time=MOVED))
    return events


def record(engine: Engine, *events: Event) -> None:
    ingest(engine, entries(events))
    refresh_all(engine)


def test_a_streak_stays_when_the_learner_moves(engine: Engine) -> None:
    record(engine, *travel())
    found = analyze_learner(engine, 1, NOW, AnalysisThresholds())
    assert (found.streaks.longest, found.streaks.longest_began_on) == (5, date(2025, 6, 23))
    assert found.days[-1].day == date(2025, 6, 29), "today is that of Tokyo"
    assert stored_activity(engine) == expected_activity(fold(travel()))
    assert audited(engine) == []


def test_a_move_told_late_or_before_others_gives_the_same(engine: Engine) -> None:
    *before, moved = travel()
    record(engine, *before, enrolled(1, timezone="Europe/Oslo", time=MOVED + timedelta(days=9)))
    ingest(engine, entries([moved]))
    assert rows(engine, MARKED) == [(1,)]
    refresh_all(engine)
    events = [*before, enrolled(1, timezone="Europe/Oslo", time=MOVED + timedelta(days=9)), moved]
    assert stored_activity(engine) == expected_activity(fold(events))
    assert audited(engine) == []


def test_the_weeks_of_a_course_are_those_of_the_zones_in_force(engine: Engine) -> None:
    """Sunday evening in Los Angeles is Monday in Tokyo."""
    night = datetime(2025, 6, 30, 3, tzinfo=UTC)
    events = [*travel(moved=False), completed(1, 1, 8, time=night)]
    moved = [enrolled(1, timezone="Asia/Tokyo", time=night + timedelta(days=1))]
    record(engine, *events, *moved)
    weeks = analyze_course(engine, 3, NOW, AnalysisThresholds()).weeks
    assert [(week.monday, week.completed) for week in weeks] == [(date(2025, 6, 23), 6)]
    assert audited(engine) == []


def test_who_moved_west_was_seen_last_on_the_latest_day_that_has_come(engine: Engine) -> None:
    """Active on the 2nd in Kiritimati, and an hour later, on the 1st, in Honolulu."""
    at = datetime(2025, 7, 1, 12, tzinfo=UTC)
    record(
        engine,
        enrolled(1, timezone="Pacific/Kiritimati", time=at - timedelta(days=3)),
        viewed(1, time=at),
        enrolled(1, timezone="Pacific/Honolulu", time=at + timedelta(minutes=30)),
        viewed(1, time=at + timedelta(hours=1)),
    )
    (dormant,) = analyze_course(engine, 3, at + timedelta(days=40), AnalysisThresholds()).dormant
    learner = analyze_learner(engine, 1, at + timedelta(days=40), AnalysisThresholds())
    assert dormant.last_seen_on == learner.last_seen_on == date(2025, 7, 2)


# ---- Told by the LMS -----------------------------------------------------------------------------------------------


def test_a_zone_that_the_lms_updates_rules_from_now_on(engine: Engine) -> None:
    record(engine, *travel(moved=False))
    before = stored_activity(engine)
    execute(engine, "UPDATE user_course SET timezone = 'Asia/Tokyo'")
    assert rows(engine, TOLD) == [(1, True, "America/Los_Angeles", False), (1, True, "Asia/Tokyo", True)]
    refresh_all(engine)
    assert stored_activity(engine) == before
    later = datetime(2029, 1, 1, 16, tzinfo=UTC)
    record(engine, viewed(1, time=later))
    assert max(stored_activity(engine)[1].days) == date(2029, 1, 2)
    assert audited(engine) == []


def test_of_an_enrollment_that_the_lms_made_the_former_zone_rules_before(engine: Engine) -> None:
    insert_as_lms(engine, 1)
    execute(engine, "UPDATE user_course SET timezone = 'America/Los_Angeles'")
    execute(engine, "UPDATE user_course SET timezone = 'Asia/Tokyo'", "UPDATE user_course SET timezone = 'Asia/Seoul'")
    assert [(zone, by_lms) for _, _, zone, by_lms in rows(engine, TOLD)] == [
        (None, True),
        ("America/Los_Angeles", True),
        ("Asia/Tokyo", True),
        ("Asia/Seoul", True),
    ]
    record(engine, viewed(1, time=FIRST.replace(hour=23)))
    assert list(stored_activity(engine)[1].days) == [FIRST.date()]
    assert audited(engine) == []


def test_what_an_event_changes_is_not_told_again_as_the_lms_own(engine: Engine) -> None:
    record(engine, *travel())
    assert [by_lms for _, _, _, by_lms in rows(engine, TOLD)] == [False, False]
    execute(engine, "UPDATE user_course SET timezone = timezone, user_id = 9")
    assert len(rows(engine, TOLD)) == 2


def test_only_what_is_told_again_marks_the_activity(engine: Engine) -> None:
    ingest(engine, entries([enrolled(1), enrolled(2)]))
    assert rows(engine, MARKED) == []
    ingest(engine, entries([enrolled(1, seconds=-90)]))
    assert rows(engine, MARKED) == [(1,)]


def test_a_deletion_takes_the_zones_along(engine: Engine) -> None:
    record(engine, *travel())
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE user_course SET timezone = 'Asia/Seoul'")
        connection.exec_driver_sql("DELETE FROM user_course")
    assert rows(engine, TOLD) == []


@pytest.mark.parametrize("name", ["CET", "EET", "MET", "WET"])
def test_an_abbreviation_is_the_zone_of_that_name_for_audit_and_rebuild(engine: Engine, name: str) -> None:
    """Half an hour before midnight in summer, which is an hour earlier by a clock that knows no summer."""
    hours = {"CET": 22, "MET": 22, "EET": 21, "WET": 23}
    record(engine, enrolled(1, timezone=name), viewed(1, time=datetime(2025, 7, 14, hours[name], 30, tzinfo=UTC)))
    assert list(stored_activity(engine)[1].days) == [date(2025, 7, 15)]
    assert audited(engine) == []
