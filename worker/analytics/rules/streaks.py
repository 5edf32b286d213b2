"""Streaks: how many days a learner keeps at it, and since when not any more."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from worker.analytics.rules.local_day import Zones, local_day

_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Streaks:
    """Lengths in active days; the dates are None where no day was active."""

    current: int
    longest: int
    longest_began_on: date | None
    longest_ended_on: date | None


def active_days(times: Iterable[datetime], zones: Zones) -> set[date]:
    """The calendar dates, where the learner was, with at least one lesson event."""
    return {local_day(time, zones) for time in times}


def runs(days: Iterable[date], *, grace_weekends: bool) -> list[list[date]]:
    """The active days in order, parted where a streak broke.

    Two active days belong together when no day between them was missed. With grace a Saturday or a Sunday is never
    missed; it counts only if it was active.
    """
    found: list[list[date]] = []
    for day in sorted(set(days)):
        if found and _unbroken(found[-1][-1], day, grace_weekends):
            found[-1].append(day)
        else:
            found.append([day])
    return found


def streaks(days: Iterable[date], today: date, *, grace_weekends: bool) -> Streaks:
    """The current and the longest streak as of `today`; later days do not exist yet.

    The current one is unbroken while no day between its last active day and today was missed: today is not over. Of
    equally long ones the first is the longest: a record stands until it is beaten.
    """
    parted = runs((day for day in days if day <= today), grace_weekends=grace_weekends)
    if not parted:
        return Streaks(0, 0, None, None)
    current = len(parted[-1]) if _unbroken(parted[-1][-1], today, grace_weekends) else 0
    longest = max(parted, key=len)
    return Streaks(current, len(longest), longest[0], longest[-1])


def last_seen(days: Iterable[date], today: date) -> date | None:
    """The last active day as of `today`; None where there is none."""
    return max((day for day in days if day <= today), default=None)


def is_dormant(last_seen_on: date | None, today: date, dormant_days: int) -> bool:
    """Whether a learner once seen was active on none of the last `dormant_days` days, today included.

    Who never began has nothing to return to and is not dormant.
    """
    return last_seen_on is not None and (today - last_seen_on).days >= dormant_days


def _unbroken(earlier: date, later: date, grace_weekends: bool) -> bool:
    day = earlier + _DAY
    while grace_weekends and day < later and day.weekday() >= _SATURDAY:
        day += _DAY
    return day >= later
