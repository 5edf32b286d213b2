"""The settings that an analysis goes by."""

from dataclasses import dataclass, field
from typing import Self

from worker.analytics.rules.stuck import StuckRules
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class AnalysisRules:
    """What is long, often, many or early; see `worker.settings` for each."""

    grace_weekends: bool = False
    dormant_days: int = 14
    stuck: StuckRules = field(default_factory=StuckRules)
    blocker_share: float = 0.2
    least_learners: int = 10
    hurried_share: float = 0.25
    revisits: int = 3
    idle_cutoff_seconds: float = 1_800

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of these settings."""
        return cls(
            grace_weekends=settings.grace_weekends,
            dormant_days=settings.dormant_days,
            stuck=StuckRules(settings.stuck_visits, settings.stuck_factor),
            blocker_share=settings.blocker_share,
            least_learners=settings.least_learners,
            hurried_share=settings.hurried_share,
            revisits=settings.revisits,
            idle_cutoff_seconds=settings.idle_cutoff_seconds,
        )
