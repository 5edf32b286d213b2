"""Why a learner is stuck on a lesson or a lesson is recommended, as data. Phrased in `worker.analytics.phrases`."""

from dataclasses import dataclass
from enum import StrEnum

from worker.summary.next_lesson import NextReason


class Rule(StrEnum):
    """Rules of `stuck`, the first two, and of second looks."""

    MANY_VISITS = "many_visits"
    LONG_TIME = "long_time"
    HURRIED = "hurried"
    REVISITED = "revisited"


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that applies to a lesson, with the figures it compared; None where it uses none."""

    rule: NextReason | Rule
    visits: int | None = None
    """All visits to the lesson, or for REVISITED those since its completion."""
    seconds: float | None = None
    median_seconds: float | None = None
    median_factor: float | None = None
    """The multiple of the median that `seconds` exceeds, or for HURRIED stays below."""
