"""The calendar date of a moment where the learner is."""

from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo


def local_day(moment: datetime, timezone: str | None) -> date:
    """The date of an aware moment in an IANA time zone; None and what names no zone are UTC.

    Events carry the name unchecked, and a learner without a known zone still has days.
    """
    return moment.astimezone(_zone(timezone)).date()


@lru_cache(maxsize=1024)
def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # no such zone, no possible name, a folder or something unreadable
        return UTC
