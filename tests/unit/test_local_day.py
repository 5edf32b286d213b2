"""Where an enrollment is over time: each zone rules from its own time on, by the tz database's own names."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.support.events import completed, enrolled
from tests.support.zones import active_days, only
from worker.analytics.rules.activity import activity
from worker.analytics.rules.local_day import Zones, enrollment_zones, local_day
from worker.analytics.rules.streaks import streaks
from worker.contract.time_zones import local_zone

NOON = datetime(2025, 7, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def told(*zones: tuple[float, str | None]) -> Zones:
    return Zones.of((NOON + hours * HOUR, name) for hours, name in zones)


def test_a_zone_rules_from_its_time_on_and_the_first_one_before_it_too() -> None:
    zones = told((0, "America/Los_Angeles"), (24, "Asia/Tokyo"), (48, None))
    hours = {-100: 1, 0: 5, 23: 4, 24: 21, 47: 20, 48: 12, 999: 3}
    assert {each: zones.local(NOON + each * HOUR).hour for each in hours} == hours


def test_without_any_it_is_utc() -> None:
    assert Zones.of([]).local(NOON).hour == 12


def test_of_zones_told_for_one_time_the_last_rules_from_it_on() -> None:
    zones = told((0, "Asia/Tokyo"), (0, "Europe/Berlin"))
    assert [zones.local(NOON - HOUR).hour, zones.local(NOON).hour] == [20, 14]


def test_events_tell_zones_by_their_times() -> None:
    zones = enrollment_zones([enrolled(timezone="Asia/Tokyo", time=NOON), enrolled(time=NOON + HOUR)])
    assert [zones.local(NOON).hour, zones.local(NOON + HOUR).hour] == [21, 13]


def test_a_streak_of_one_place_stays_after_the_move_to_another() -> None:
    """Morning and evening by turns: five days in Los Angeles, three in Tokyo."""
    first = datetime(2026, 11, 23, 14, tzinfo=UTC)
    times = [first + timedelta(days=day, hours=16 if day % 2 else 0) for day in range(5)]
    zones = Zones.of([(first, "America/Los_Angeles"), (first + timedelta(days=5), "Asia/Tokyo")])
    today = local_day(first + timedelta(days=5), zones)
    assert streaks(active_days(times, zones), today, grace_weekends=False).longest == 5
    assert streaks(active_days(times, only("Asia/Tokyo")), today, grace_weekends=False).longest < 5


def test_time_spent_over_a_move_is_that_of_both_days() -> None:
    """From 12:00 in Berlin on: an hour there, then an hour on the next day in Auckland."""
    zones = told((0, "Europe/Berlin"), (1, "Pacific/Auckland"))
    event = completed(time=NOON + 2 * HOUR, duration_seconds=7_200)
    days = activity([event], {}, zones, HOUR).days
    assert {day: its.spent.seconds for day, its in days.items()} == {
        date(2025, 7, 14): 3_600,
        date(2025, 7, 15): 3_600,
    }


def test_a_minute_of_the_next_day_before_the_clock_goes_back_is_of_the_next_day() -> None:
    """In Newfoundland the clock went from 00:01 to 23:01."""
    event = completed(time=datetime(2006, 10, 29, 3, 31, tzinfo=UTC), duration_seconds=7_200)
    days = activity([event], {}, only("America/St_Johns"), HOUR).days
    assert {day: its.spent.seconds for day, its in days.items()} == {
        date(2006, 10, 28): 59 * 60 + 59 * 60,
        date(2006, 10, 29): 2 * 60,
    }


@pytest.mark.parametrize(
    ("name", "hours"),
    [("CET", 2), ("MET", 2), ("EET", 3), ("WET", 1), ("EST", -5), ("MST", -7), ("HST", -10), ("EST5EDT", -4)],
)
def test_a_name_that_is_an_abbreviation_too_is_the_zone(name: str, hours: int) -> None:
    assert NOON.astimezone(local_zone(name)).utcoffset() == hours * HOUR


@pytest.mark.parametrize(
    "name",
    ["localtime", "europe/berlin", "cet", "GMT+1", "UTC+1", "posix/CET", "right/CET", "CEST", ":CET"],
)
def test_what_is_no_name_of_the_database_or_another_on_each_host_is_utc(name: str) -> None:
    assert local_zone(name) is UTC


@pytest.mark.parametrize("minutes", [-6, -5, 0])
def test_an_event_is_doubtful_more_than_five_minutes_before_the_enrollment_was_made(minutes: int) -> None:
    event = completed(time=NOON + timedelta(minutes=minutes))
    assert activity([event], {}, Zones(), HOUR, NOON).doubtful_events == (minutes < -5)
    assert activity([event], {}, Zones(), HOUR).doubtful_events == 0
