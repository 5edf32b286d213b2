"""The definitions of active days, streaks and dormancy, one sentence each. 14 July 2025 is a Monday."""

from datetime import UTC, date, datetime, timedelta
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest

from tests.support.zones import active_days, only
from worker.analytics.rules.local_day import local_day
from worker.analytics.rules.streaks import Streaks, is_dormant, last_seen, streaks

FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY = (date(2025, 7, 18) + timedelta(days=more) for more in range(5))
WEEKDAYS = [FRIDAY - timedelta(days=before) for before in range(5)]


def days(*numbers: int) -> list[date]:
    """Days of July 2025."""
    return [date(2025, 7, number) for number in numbers]


def current(active: list[date], today: date, *, grace_weekends: bool = False) -> int:
    return streaks(active, today, grace_weekends=grace_weekends).current


def longest(active: list[date], *, grace_weekends: bool = False) -> tuple[int, date | None, date | None]:
    found = streaks(active, date(2025, 7, 31), grace_weekends=grace_weekends)
    return found.longest, found.longest_began_on, found.longest_ended_on


@pytest.mark.parametrize(
    ("moment", "timezone", "day"),
    [
        ("2025-07-14T21:59:59+00:00", "Europe/Berlin", date(2025, 7, 14)),
        ("2025-07-14T22:00:00+00:00", "Europe/Berlin", date(2025, 7, 15)),
        ("2025-07-14T22:00:00+00:00", None, date(2025, 7, 14)),
        ("2025-07-14T18:30:00+00:00", "Asia/Kolkata", date(2025, 7, 15)),
        ("2025-07-14T04:59:59+00:00", "America/Bogota", date(2025, 7, 13)),
        ("2025-12-30T10:00:00+00:00", "Pacific/Kiritimati", date(2025, 12, 31)),
        # A day of 23 hours: it begins at 23:00 UTC and ends at 22:00.
        ("2025-03-29T22:59:59+00:00", "Europe/Berlin", date(2025, 3, 29)),
        ("2025-03-29T23:00:00+00:00", "Europe/Berlin", date(2025, 3, 30)),
        ("2025-03-30T21:59:59+00:00", "Europe/Berlin", date(2025, 3, 30)),
        ("2025-03-30T22:00:00+00:00", "Europe/Berlin", date(2025, 3, 31)),
        # A day of 25 hours: from 22:00 UTC to 23:00.
        ("2025-10-25T22:00:00+00:00", "Europe/Berlin", date(2025, 10, 26)),
        ("2025-10-26T22:59:59+00:00", "Europe/Berlin", date(2025, 10, 26)),
        ("2025-10-26T23:00:00+00:00", "Europe/Berlin", date(2025, 10, 27)),
        # A day whose last hour comes twice: at midnight the clock went back.
        ("2018-02-18T01:59:59+00:00", "America/Sao_Paulo", date(2018, 2, 17)),
        ("2018-02-18T02:00:00+00:00", "America/Sao_Paulo", date(2018, 2, 17)),
        ("2018-02-18T03:00:00+00:00", "America/Sao_Paulo", date(2018, 2, 18)),
    ],
)
def test_a_moment_is_of_the_date_where_the_learner_is(moment: str, timezone: str | None, day: date) -> None:
    assert local_day(datetime.fromisoformat(moment), only(timezone)) == day


@pytest.mark.parametrize(
    "name", ["", "Nowhere/Land", "Europe", "../etc/passwd", "/etc", "a\x00b", "\U0001f680", "x" * 999]
)
def test_what_names_no_zone_is_utc(name: str) -> None:
    late = datetime(2025, 7, 14, 23, 59, tzinfo=UTC)
    assert local_day(late, only(name)) == date(2025, 7, 14)
    assert local_day(late + timedelta(minutes=1), only(name)) == date(2025, 7, 15)


def test_a_zone_whose_file_cannot_be_read_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.contract.time_zones.ZoneInfo", Mock(side_effect=PermissionError))
    assert local_day(datetime(2025, 7, 14, 23, 59, tzinfo=UTC), only("Europe/Unreadable")) == date(2025, 7, 14)


def test_each_date_with_an_event_is_active_once_whatever_the_order() -> None:
    night = datetime(2025, 7, 14, 21, 59, tzinfo=UTC)
    times = [night + timedelta(minutes=2), night, night + timedelta(minutes=1), night]
    assert active_days(times, only("Europe/Berlin")) == {date(2025, 7, 14), date(2025, 7, 15)}
    assert active_days(times, only(None)) == {date(2025, 7, 14)}
    assert active_days([], only(None)) == set()


@pytest.mark.parametrize(("hours", "count"), [(23, 2), (22, 1)])
def test_on_the_day_of_23_hours_the_next_day_comes_an_hour_sooner(hours: int, count: int) -> None:
    midnight = datetime(2025, 3, 29, 23, 0, tzinfo=UTC)
    assert len(active_days([midnight, midnight + timedelta(hours=hours)], only("Europe/Berlin"))) == count


def test_both_hours_of_the_repeated_hour_are_of_one_day_as_is_a_clock_that_went_back() -> None:
    first = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)  # 02:30, and 02:30 again
    assert active_days([first + timedelta(hours=1), first], only("Europe/Berlin")) == {date(2025, 10, 26)}


@pytest.mark.parametrize("hour", [0, 23])
@pytest.mark.parametrize("before", [date(2025, 3, 28), date(2025, 10, 24)], ids=["23 hours", "25 hours"])
def test_a_streak_goes_on_over_a_day_of_another_length(before: date, hour: int) -> None:
    first = datetime(before.year, before.month, before.day, hour, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    active = active_days(((first + timedelta(days=more)).astimezone(UTC) for more in range(4)), only("Europe/Berlin"))
    assert current([*active], before + timedelta(days=3)) == 4


@pytest.mark.parametrize(
    ("active", "today", "length"),
    [
        (days(14, 15, 16), date(2025, 7, 16), 3),
        (days(14, 15, 16), date(2025, 7, 17), 3),
        (days(14, 15, 16), date(2025, 7, 18), 0),
        (days(14, 16), date(2025, 7, 16), 1),
        (days(14, 15, 16), date(2025, 7, 15), 2),
        ([], date(2025, 7, 16), 0),
    ],
    ids=["today", "today is not over", "a day was missed", "a gap", "later days do not exist yet", "never active"],
)
def test_the_current_streak(active: list[date], today: date, length: int) -> None:
    assert current(active, today) == length


@pytest.mark.parametrize(
    ("today", "with_grace", "without"),
    [(FRIDAY, 5, 5), (SATURDAY, 5, 5), (SUNDAY, 5, 0), (MONDAY, 5, 0), (TUESDAY, 0, 0)],
)
def test_who_learns_from_monday_to_friday_has_until_monday_is_over(today: date, with_grace: int, without: int) -> None:
    assert current(WEEKDAYS, today, grace_weekends=True) == with_grace
    assert current(WEEKDAYS, today) == without


def test_an_excused_weekend_joins_but_counts_only_if_active() -> None:
    assert current([*WEEKDAYS, MONDAY], MONDAY, grace_weekends=True) == 6
    assert current([*WEEKDAYS, SUNDAY, MONDAY], MONDAY, grace_weekends=True) == 7
    assert current([SATURDAY, SUNDAY], TUESDAY, grace_weekends=True) == 0
    assert longest(days(11, 14, 18, 21, 22), grace_weekends=True) == (3, date(2025, 7, 18), date(2025, 7, 22))


def test_the_longest_streak_has_a_beginning_and_an_end() -> None:
    assert longest(days(1, 2, 5, 6, 7, 9)) == (3, date(2025, 7, 5), date(2025, 7, 7))


def test_of_equally_long_streaks_the_first_is_the_longest() -> None:
    assert longest(days(8, 9, 1, 2, 5)) == (2, date(2025, 7, 1), date(2025, 7, 2))


def test_without_an_active_day_there_is_no_streak() -> None:
    assert streaks([], TUESDAY, grace_weekends=False) == Streaks(0, 0, None, None)
    assert streaks([TUESDAY], MONDAY, grace_weekends=True) == Streaks(0, 0, None, None)


def test_last_seen_is_the_last_active_day_that_is_not_to_come() -> None:
    assert last_seen([SATURDAY, FRIDAY, TUESDAY], MONDAY) == SATURDAY
    assert last_seen([TUESDAY], MONDAY) is None


@pytest.mark.parametrize(("absent", "dormant"), [(0, False), (13, False), (14, True), (400, True)])
def test_dormant_is_who_was_active_on_none_of_the_last_days(absent: int, dormant: bool) -> None:
    assert is_dormant(MONDAY, MONDAY + timedelta(days=absent), 14) is dormant


def test_who_never_began_is_not_dormant() -> None:
    assert is_dormant(None, MONDAY, 14) is False
