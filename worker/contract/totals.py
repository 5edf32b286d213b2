"""Counters that no table has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals, or increments to them."""

    superseded: int = 0
    """Enrollments and outlines older than the stored ones."""
    dropped_members: int = 0
    """Invalid optional members; their events were applied without them."""
