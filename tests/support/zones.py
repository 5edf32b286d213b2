"""Zones of an enrollment that never moved."""

from worker.domain.local_day import Zones, local_zone


def only(name: str | None) -> Zones:
    """The zone of this name at any time."""
    return Zones(local_zone(name))
