"""Time zones by name and their changes of offset, from Python's tz database."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

BEGINNING = datetime(1979, 12, 1, tzinfo=UTC)
END = datetime(2040, 1, 1, tzinfo=UTC)
"""No event is earlier than BEGINNING. After END, offsets are assumed constant."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def local_zone(name: str | None) -> tzinfo:
    """Return the zone with this name; UTC for null and unknown names, which an LMS may write."""
    return ZoneInfo(name) if name in zone_names() else UTC


@cache
def zone_names() -> frozenset[str]:
    """Return the names in the tz database, except `localtime`, which differs between hosts."""
    return frozenset(available_timezones() - {"localtime"})


@cache
def settings_of(zone: tzinfo) -> tuple[datetime, ...]:
    """Return the times of the zone's offset changes from BEGINNING to END, in order. Takes 20 ms once per zone."""
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
    """Return the first second between the two with another offset than `low`."""
    before = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high
