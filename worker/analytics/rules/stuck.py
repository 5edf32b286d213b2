"""Where a learner is stuck, and which lessons stop learners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.analytics.rules.learner_history import History, LessonHistory
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.formatting import counted, duration


@dataclass(frozen=True, slots=True)
class StuckThresholds:
    """When a learner has tried a lesson hard: with at least so many visits, or more than so many times its median."""

    visits: int
    factor: float


@dataclass(frozen=True, slots=True)
class Stuck:
    """A lesson on which a learner is stuck, and why we think so; whoever knows the outline adds the title."""

    topic_id: int
    lesson_id: int
    reason: str
    title: str | None = None


def stuck(
    history: History, outline: Sequence[Lesson], medians: Mapping[Lesson, float], rules: StuckThresholds
) -> list[Stuck]:
    """The lessons on which a learner is stuck, in outline order.

    On a lesson in progress, visited at least `rules.visits` times or for more than `rules.factor` times its median
    time, while no lesson later in the outline was completed since its first visit. `medians` are the median seconds of
    those who completed the lesson, as in `worker.analytics.rules.time_statistics`; without one no time is long.
    """
    found = []
    for lesson in unfinished(history, outline):
        tried = effort(history[lesson], medians.get(lesson, 0), rules)
        if tried:
            reason = f"not completed after {' and '.join(tried)}, and nothing later since its first visit"
            found.append(Stuck(*lesson, reason))
    return found


def unfinished(history: History, outline: Sequence[Lesson]) -> list[Lesson]:
    """The lessons in progress and visited, since whose first visit nothing later was completed; in outline order."""
    found = []
    went_on: datetime | None = None  # the latest known completion of any later lesson
    for lesson in reversed(outline):
        each = history.get(lesson, LessonHistory())
        if each.completed and each.completed_at:
            went_on = max(went_on or each.completed_at, each.completed_at)
        if each.status is not ProgressStatus.IN_PROGRESS or each.first_visit_at is None:
            continue
        if went_on is None or went_on < each.first_visit_at:
            found.append(lesson)
    return found[::-1]


def effort(each: LessonHistory, median: float, rules: StuckThresholds) -> list[str]:
    """How hard a learner tried a lesson whose median seconds these are, in words; nothing where it was not hard."""
    tried = []
    if each.visits >= rules.visits:
        tried.append(counted(each.visits, "visit"))
    if 0 < rules.factor * median < each.seconds:
        tried.append(f"{duration(each.seconds)}, more than {rules.factor:g} times the median of {duration(median)}")
    return tried


def stopped_at(history: History, outline: Sequence[Lesson]) -> Lesson | None:
    """The lesson that stopped a learner: started, not completed, and nothing later in the outline started or completed.

    At most one: the last that was started, unless it is completed.
    """
    for lesson in reversed(outline):
        status = history.get(lesson, LessonHistory()).status
        if status is not ProgressStatus.NOT_STARTED:
            return lesson if status is ProgressStatus.IN_PROGRESS else None
    return None


def drop_off(started: int, stopped: int) -> float | None:
    """How much of a blocker a lesson is: the share of those who started it that it stopped, 0...1.

    None where nobody started it.
    """
    return stopped / started if started else None


def is_blocker(share: float | None, started: int, min_ratio: float, min_learners: int) -> bool:
    """Whether a lesson's drop-off is high, and more than the chance of a few."""
    return share is not None and share >= min_ratio and started >= min_learners
