"""Zones of an enrollment that never moved, and the days of events."""

from collections.abc import Iterable
from datetime import date, datetime

from worker.analytics.rules.local_day import Zones, local_day
from worker.contract.time_zones import local_zone


def only(name: str | None) -> Zones:
    """The zone of this name at any time."""
    return Zones(local_zone(name))


def active_days(times: Iterable[datetime], zones: Zones) -> set[date]:
    """The local dates with at least one lesson event."""
    return {local_day(time, zones) for time in times}
