"""Activity in plain Python, by example."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.support.events import completed, viewed
from tests.support.zones import only
from worker.analytics.rules.activity import Activity, TimeSpent, activity
from worker.contract.event import LessonEvent
from worker.contract.time_zones import local_zone

CUTOFF = timedelta(minutes=30)


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"{time}+00:00")


def found(*events: LessonEvent, timezone: str | None = None, completed_at: datetime | None = None) -> Activity:
    return activity(events, {(1, 1): completed_at}, only(timezone), CUTOFF)


def view(time: str, lesson_id: int = 1, duration: int | None = None, **other: Any) -> LessonEvent:
    return viewed(1, 1, lesson_id, time=at(time), duration_seconds=duration, **other)


def test_a_duration_ends_at_the_time_of_its_event() -> None:
    its = found(view("2025-01-01 00:10", duration=900))
    assert its.spent == TimeSpent(900, 900)
    assert {day: each.spent.seconds for day, each in its.days.items()} == {
        date(2024, 12, 31): 300,
        date(2025, 1, 1): 600,
    }
    assert [each.events for _, each in sorted(its.days.items())] == [0, 1]


@pytest.mark.parametrize(("later", "seconds"), [("10:29", 1_740), ("10:30", 1_800), ("10:31", 0)])
def test_without_one_the_next_event_ends_it_unless_it_is_too_far(later: str, seconds: int) -> None:
    its = found(view("2025-01-01 10:00"), view(f"2025-01-01 {later}", 2))
    assert its.spent == TimeSpent(seconds, 0)
    assert its.lessons[1, 1][0] == TimeSpent(seconds, 0)
    assert its.lessons[1, 2][0].seconds == its.lessons[1, 2][0].measured_seconds
    assert its.sessions == (1 if later == "10:29" else 2)


def test_no_moment_counts_twice_but_for_each_lesson() -> None:
    its = found(view("2025-01-01 10:00", 1, 600), view("2025-01-01 10:05", 2, 600), view("2025-01-01 10:05", 2))
    assert its.spent == its.topics[1] == TimeSpent(900, 900)
    assert [its.lessons[1, lesson][0].seconds for lesson in (1, 2)] == [600, 600]


def test_events_at_one_time_follow_by_id() -> None:
    first, second = view("2025-01-01 10:00", 1, id=f"{1:032}"), view("2025-01-01 10:00", 2, id=f"{2:032}")
    its = found(second, first, view("2025-01-01 10:10", 3))
    assert [its.lessons[1, lesson][0].seconds for lesson in (1, 2)] == [0, 600]


def test_a_gap_of_the_cut_off_begins_a_visit_and_those_until_completion_are_counted() -> None:
    times = ("10:00", "10:29", "10:59", "12:00")
    events = [view(f"2025-01-01 {time}") for time in times]
    visits = found(*events, completed_at=at("2025-01-01 10:59")).lessons[1, 1][1]
    assert (visits.visits, visits.visits_to_complete) == (3, 2)
    assert (visits.first_visit_at, visits.last_visit_at) == (events[0].time, events[-1].time)
    assert found(*events).lessons[1, 1][1].visits_to_complete is None


def test_a_session_lasts_from_its_earliest_start_to_its_latest_end() -> None:
    its = found(
        view("2025-01-01 10:00", 1, 300),
        view("2025-01-01 10:20", 2, 60),
        completed(1, 1, 2, time=at("2025-01-01 12:00")),
    )
    assert (its.sessions, its.session_seconds) == (2, 1_500)
    assert its.spent.seconds == 360
    assert (its.first_at, its.last_at) == (at("2025-01-01 10:00"), at("2025-01-01 12:00"))


def test_a_day_may_have_23_hours_and_a_local_hour_counts() -> None:
    its = found(*(view(f"2025-03-{day} 23:00", duration=86_400) for day in (29, 30, 31)), timezone="Europe/Berlin")
    hours = {day: each.spent.seconds / 3_600 for day, each in sorted(its.days.items())}
    assert hours == {date(2025, 3, 29): 24, date(2025, 3, 30): 23, date(2025, 3, 31): 24, date(2025, 4, 1): 1}


def test_events_are_counted_by_hour_of_the_local_week() -> None:
    its = found(view("2025-01-06 00:10"), view("2025-01-05 23:59"), timezone="Asia/Kolkata")  # Monday by its clock
    assert (sum(its.events_by_hour), its.events_by_hour[5]) == (2, 2)
    assert found(view("2025-01-05 23:59")).events_by_hour[167] == 1


@pytest.mark.parametrize("timezone", [None, "", "Not/AZone", "\U0001f680", "../../etc/passwd"])
def test_what_names_no_zone_is_utc(timezone: str | None) -> None:
    assert local_zone(timezone) is UTC


def test_nothing_is_no_activity() -> None:
    its = found()
    assert (its.lessons, its.topics, its.days, its.sessions, its.session_seconds) == ({}, {}, {}, 0, 0)
    assert (its.spent, its.first_at, sum(its.events_by_hour)) == (TimeSpent(0, 0), None, 0)
