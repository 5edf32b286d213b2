"""Why a lesson is named to a learner, as data; `worker.analytics.phrases` makes sentences of it."""

from dataclasses import dataclass
from enum import StrEnum

from worker.summary.next_lesson import NextReason


class Rule(StrEnum):
    """The rule that a lesson meets: one of the first two makes a learner stuck, one of the others a second look."""

    MANY_VISITS = "many_visits"
    LONG_TIME = "long_time"
    HURRIED = "hurried"
    REVISITED = "revisited"


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule and the figures it compared, None where it uses none."""

    rule: NextReason | Rule
    visits: int | None = None
    """All visits to the lesson, or for REVISITED those since its completion."""
    seconds: float | None = None
    median_seconds: float | None = None
    median_factor: float | None = None
    """The multiple of the median that `seconds` exceeds, or for HURRIED stays below."""
