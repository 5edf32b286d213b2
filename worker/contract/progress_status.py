"""How far a learner is with one lesson."""

from enum import StrEnum


class ProgressStatus(StrEnum):
    """not_started < in_progress < completed."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"

    @property
    def rank(self) -> int:
        """0, 1 or 2."""
        return _RANK[self]


# The order of declaration is the rank, here and in PostgreSQL.
_RANK = {status: rank for rank, status in enumerate(ProgressStatus)}
