"""The thresholds of an analysis, with the defaults of the settings that they come from."""

from dataclasses import dataclass
from typing import Self

from worker.analytics.rules.stuck import StuckThresholds
from worker.settings import Settings

_DEFAULTS = Settings.model_construct()  # without the environment
_STUCK = StuckThresholds(_DEFAULTS.stuck_visits, _DEFAULTS.stuck_factor)


@dataclass(frozen=True, slots=True)
class AnalysisThresholds:
    """See the settings of the same names."""

    grace_weekends: bool = _DEFAULTS.grace_weekends
    dormant_days: int = _DEFAULTS.dormant_days
    stuck: StuckThresholds = _STUCK
    blocker_ratio: float = _DEFAULTS.blocker_ratio
    min_learners: int = _DEFAULTS.min_learners
    hurried_ratio: float = _DEFAULTS.hurried_ratio
    revisits: int = _DEFAULTS.revisits
    idle_cutoff_seconds: float = _DEFAULTS.idle_cutoff_seconds

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the thresholds of these settings."""
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
