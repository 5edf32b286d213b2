"""Zones of an enrollment that never moved."""

from worker.analytics.rules.local_day import Zones
from worker.contract.time_zones import local_zone


def only(name: str | None) -> Zones:
    """The zone of this name at any time."""
    return Zones(local_zone(name))
