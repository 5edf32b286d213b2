"""Counts that no table keeps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Totals:
    """Both since they are counted, or to be added."""

    superseded: int = 0
    """Enrollments and outlines that were older than the known ones."""
    dropped_members: int = 0
    """Optional members that were not valid; their events were applied without them."""
