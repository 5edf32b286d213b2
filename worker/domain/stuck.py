"""Where a learner is stuck, and which lessons stop learners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.domain.learner import History, LessonHistory
from worker.domain.outline import Lesson
from worker.domain.status import ProgressStatus
from worker.domain.words import counted, duration


@dataclass(frozen=True, slots=True)
class Stuck:
    """A lesson on which a learner is stuck, and why we think so."""

    topic_id: int
    lesson_id: int
    reason: str


def stuck(
    history: History,
    outline: Sequence[Lesson],
    medians: Mapping[Lesson, float],
    *,
    visits: int = 3,
    factor: float = 2.0,
) -> list[Stuck]:
    """The lessons on which a learner is stuck, in outline order.

    On a lesson in progress, visited at least `visits` times or for more than `factor` times its median time, while no
    lesson later in the outline was completed since its first visit. `medians` are the seconds of those who completed
    the lesson; without one, and with one of 0, no time is long.
    """
    found = []
    went_on: datetime | None = None  # the latest known completion of any later lesson
    for lesson in reversed(outline):
        each = history.get(lesson, LessonHistory())
        if each.completed and each.completed_at:
            went_on = max(went_on or each.completed_at, each.completed_at)
        if each.status is not ProgressStatus.IN_PROGRESS or each.first_visit_at is None:
            continue
        effort = _effort(each, medians.get(lesson, 0), visits, factor)
        if effort and (went_on is None or went_on < each.first_visit_at):
            reason = f"not completed after {' and '.join(effort)}, and nothing later since its first visit"
            found.append(Stuck(*lesson, reason))
    return found[::-1]


def _effort(each: LessonHistory, median: float, visits: int, factor: float) -> list[str]:
    effort = []
    if each.visits >= visits:
        effort.append(counted(each.visits, "visit"))
    if 0 < factor * median < each.seconds:
        effort.append(f"{duration(each.seconds)}, more than {factor:g} times the median of {duration(median)}")
    return effort


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
