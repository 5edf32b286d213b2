"""Lessons that learners are stuck on, and lessons that stop learners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.analytics.rules.learner_history import History, LessonHistory
from worker.analytics.rules.reasons import Reason, Rule
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus


@dataclass(frozen=True, slots=True)
class StuckThresholds:
    """A learner tried a lesson hard after this many visits, or more than `factor` times its median time."""

    visits: int
    factor: float


@dataclass(frozen=True, slots=True)
class Stuck:
    """A lesson on which a learner is stuck, and why; the caller adds the title from the outline."""

    topic_id: int
    lesson_id: int
    reasons: tuple[Reason, ...]
    title: str | None = None


def stuck(
    history: History, outline: Sequence[Lesson], medians: Mapping[Lesson, float], thresholds: StuckThresholds
) -> list[Stuck]:
    """Return the lessons on which a learner is stuck, in outline order.

    A learner is stuck on a lesson in progress that was visited at least `thresholds.visits` times, or for more than
    `thresholds.factor` times its median time, if no later lesson of the outline was completed since its first visit.
    `medians` are the median seconds of the learners who completed the lesson; without one, no time is too long.
    """
    found = []
    for lesson in unfinished(history, outline):
        reasons = effort(history[lesson], medians.get(lesson, 0), thresholds)
        if reasons:
            found.append(Stuck(*lesson, reasons))
    return found


def unfinished(history: History, outline: Sequence[Lesson]) -> list[Lesson]:
    """Return the visited lessons in progress with no later lesson completed since the first visit, in outline order."""
    found = []
    latest: datetime | None = None  # the latest known completion of a later lesson
    for lesson in reversed(outline):
        each = history.get(lesson, LessonHistory())
        if each.completed and each.completed_at:
            latest = max(latest or each.completed_at, each.completed_at)
        if each.status is not ProgressStatus.IN_PROGRESS or each.first_visit_at is None:
            continue
        if latest is None or latest < each.first_visit_at:
            found.append(lesson)
    return found[::-1]


def effort(each: LessonHistory, median: float, thresholds: StuckThresholds) -> tuple[Reason, ...]:
    """Return why a learner tried a lesson hard, given its median seconds; empty where the learner did not."""
    reasons = []
    if each.visits >= thresholds.visits:
        reasons.append(Reason(Rule.MANY_VISITS, visits=each.visits))
    if 0 < thresholds.factor * median < each.seconds:
        reasons.append(Reason(Rule.LONG_TIME, None, each.seconds, median, thresholds.factor))
    return tuple(reasons)


def stopped_at(history: History, outline: Sequence[Lesson]) -> Lesson | None:
    """Return the lesson that stopped a learner: the last one started in outline order, unless it is completed."""
    for lesson in reversed(outline):
        status = history.get(lesson, LessonHistory()).status
        if status is not ProgressStatus.NOT_STARTED:
            return lesson if status is ProgressStatus.IN_PROGRESS else None
    return None


def drop_off(started: int, stopped: int) -> float | None:
    """Return the ratio of learners stopped by a lesson to those who started it, 0...1; None if none did."""
    return stopped / started if started else None


def is_blocker(ratio: float | None, started: int, min_ratio: float, min_learners: int) -> bool:
    """Return whether a lesson's drop-off is high, over enough learners to tell."""
    return ratio is not None and ratio >= min_ratio and started >= min_learners
