"""Histories of a learner's lessons, told from NOW backwards."""

from datetime import UTC, datetime, timedelta

from worker.analytics.rules.learner_history import LessonHistory
from worker.contract.progress_status import ProgressStatus

NOW = datetime(2025, 7, 14, 10, 30, tzinfo=UTC)


def ago(*, days: float = 0, seconds: float = 0) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(days=days, seconds=seconds)


def started(at: datetime, *, visits: int = 1, seconds: int = 60) -> LessonHistory:
    """Visited first at this time, and not completed."""
    return LessonHistory(ProgressStatus.IN_PROGRESS, None, seconds, visits, at)


def completed(at: datetime, *, visits: int = 1, seconds: int = 60, visits_to_complete: int | None = 1) -> LessonHistory:
    """Visited and completed at this time."""
    return LessonHistory(ProgressStatus.COMPLETED, at, seconds, visits, at, visits_to_complete)
