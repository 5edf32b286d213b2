"""Streaks of active days, and dormancy."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Streaks:
    """Lengths in active days; the dates are None if no day was active."""

    current: int
    longest: int
    longest_began_on: date | None
    longest_ended_on: date | None


def runs(days: Iterable[date], *, grace_weekends: bool) -> list[list[date]]:
    """Return the active days in order, split where a streak broke.

    A streak breaks when a day is missed. With grace, a Saturday or Sunday is never missed, but counts only if active.
    """
    found: list[list[date]] = []
    for day in sorted(set(days)):
        if found and _unbroken(found[-1][-1], day, grace_weekends):
            found[-1].append(day)
        else:
            found.append([day])
    return found


def streaks(days: Iterable[date], today: date, *, grace_weekends: bool) -> Streaks:
    """Return the current and the longest streak on `today`, ignoring later days.

    The current streak is unbroken if no day between its last active day and today was missed. Of equally long streaks,
    the first counts as the longest.
    """
    found = runs((day for day in days if day <= today), grace_weekends=grace_weekends)
    if not found:
        return Streaks(0, 0, None, None)
    current = len(found[-1]) if _unbroken(found[-1][-1], today, grace_weekends) else 0
    longest = max(found, key=len)
    return Streaks(current, len(longest), longest[0], longest[-1])


def last_seen(days: Iterable[date], today: date) -> date | None:
    """Return the last active day up to `today`; None if there is none."""
    return max((day for day in days if day <= today), default=None)


def is_dormant(last_seen_on: date | None, today: date, dormant_days: int) -> bool:
    """Return whether a learner was once active, but not within the last `dormant_days` days, today included."""
    return last_seen_on is not None and (today - last_seen_on).days >= dormant_days


def _unbroken(earlier: date, later: date, grace_weekends: bool) -> bool:
    day = earlier + _DAY
    while grace_weekends and day < later and day.weekday() >= _SATURDAY:
        day += _DAY
    return day >= later
