"""The calendar date of a moment where the learner is."""

from datetime import UTC, date, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


def local_day(moment: datetime, timezone: str | None) -> date:
    """The date of an aware moment in an enrolment's `timezone`."""
    return moment.astimezone(local_zone(timezone)).date()


def local_zone(timezone: str | None) -> tzinfo:
    """The zone of an enrolment's `timezone`; UTC where it is null or no name of the tz database.

    Events carry the name unchecked, and a learner without a known zone still has days.
    """
    return ZoneInfo(timezone) if timezone in _zone_names() else UTC


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())
