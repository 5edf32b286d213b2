"""A learner's progress in one lesson."""

from enum import StrEnum


class ProgressStatus(StrEnum):
    """not_started < in_progress < completed."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"

    @property
    def rank(self) -> int:
        """Position in the order, from 0."""
        return _RANK[self]


# Declaration order is the rank, here and in PostgreSQL.
_RANK = {status: rank for rank, status in enumerate(ProgressStatus)}
