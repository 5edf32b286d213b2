"""Zones of an enrollment that never moved."""

from worker.domain.clock import local_zone
from worker.domain.local_day import Zones


def only(name: str | None) -> Zones:
    """The zone of this name at any time."""
    return Zones(local_zone(name))
