"""The settings that an analysis goes by."""

from dataclasses import dataclass, field
from typing import Self

from worker.analytics.rules.stuck import StuckThresholds
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class AnalysisThresholds:
    """What is long, often, many or early; see `worker.settings` for each."""

    grace_weekends: bool = False
    dormant_days: int = 14
    stuck: StuckThresholds = field(default_factory=StuckThresholds)
    blocker_ratio: float = 0.2
    min_learners: int = 10
    hurried_ratio: float = 0.25
    revisits: int = 3
    idle_cutoff_seconds: float = 1_800

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of these settings."""
        return cls(
            grace_weekends=settings.grace_weekends,
            dormant_days=settings.dormant_days,
            stuck=StuckThresholds(settings.stuck_visits, settings.stuck_factor),
            blocker_ratio=settings.blocker_ratio,
            min_learners=settings.min_learners,
            hurried_ratio=settings.hurried_ratio,
            revisits=settings.revisits,
            idle_cutoff_seconds=settings.idle_cutoff_seconds,
        )
