"""Time zones by their names, and when their clocks were set, as Python's tz database has it."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

BEGINNING = datetime(1979, 12, 1, tzinfo=UTC)
END = datetime(2040, 1, 1, tzinfo=UTC)
"""No event is before the one; after the other the offset is taken to stay."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def local_zone(name: str | None) -> tzinfo:
    """The zone of this name; UTC where it is null or no name of the tz database.

    An LMS may write any, and a learner without a known zone still has days.
    """
    return ZoneInfo(name) if name in zone_names() else UTC


@cache
def zone_names() -> frozenset[str]:
    """The names of the tz database, but for the one that means another zone on each host."""
    return frozenset(available_timezones() - {"localtime"})


@cache
def settings_of(zone: tzinfo) -> tuple[datetime, ...]:
    """The moments from BEGINNING to END from which the zone has another offset, in order. Takes 20 ms, once a zone."""
    found = []
    low, before = BEGINNING, BEGINNING.astimezone(zone).utcoffset()
    while low < END:
        high = low + _DAY
        after = high.astimezone(zone).utcoffset()
        if after != before:
            found.append(_first_after(low, high, zone))
        low, before = high, after
    return tuple(found)


def _first_after(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The second between them from which the offset is no more that of the earlier one."""
    before = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high
