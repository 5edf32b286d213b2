"""A learner's pace, and the projected completion of the course."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from worker.analytics.rules.completion import completion
from worker.analytics.rules.learner_history import History
from worker.analytics.rules.local_day import Zones, local_day
from worker.contract.lesson import Lesson

_WEEK = timedelta(weeks=1)
_RECENT = timedelta(days=28)
_MAX_LENGTH = timedelta(weeks=52)


class Basis(StrEnum):
    """The rate a projection is based on."""

    RECENT = "recent"
    OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Velocity:
    """Lessons completed a week."""

    overall: float
    recent: float


class ProjectionState(StrEnum):
    """Whether a completion of the course is projected, and if not, why."""

    PROJECTED = "projected"
    FINISHED = "finished"
    NOT_AT_PRESENT_PACE = "not_at_present_pace"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Projection:
    """If projected, the day on which the course will be completed at `rate` lessons a week; otherwise why not."""

    state: ProjectionState
    completed_on: date | None = None
    rate: float | None = None
    basis: Basis | None = None


def velocity(history: History, outline: Sequence[Lesson] | None, now: datetime) -> Velocity:
    """Return the lessons completed a week, overall and in the last 28 days.

    A rate is the lessons completed in a period divided by its weeks, at least one. The overall period begins with the
    first activity, the recent one 28 days ago or with the first activity, whichever is later. Only lessons of the
    outline count, if there is one, and only completions at a known time. The first activity is the earliest visit or
    completion of any lesson.
    """
    completed = {lesson: each.completed_at for lesson, each in history.items() if each.completed and each.completed_at}
    since = min(_activity(history), default=now)
    counting = completed.keys() if outline is None else completed.keys() & set(outline)
    completions = [completed[lesson] for lesson in counting]
    recent = max(since, now - _RECENT)
    return Velocity(_rate(completions, since, now), _rate(completions, recent, now))


def projection(
    history: History,
    outline: Sequence[Lesson] | None,
    now: datetime,
    zones: Zones,
    *,
    last_at: datetime | None,
    course_days: float | None,
) -> Projection:
    """Return the local date by which the rest of the outline will be completed, counted from `now`.

    The rate is that of the last 28 days, or the overall one if that is zero. There is no date, "not at the present
    pace", after 28 days without any activity, or if the rest would take longer than the course's own length: the median
    `course_days` of the learners who completed it, or, until one has, the time since this learner's first activity;
    at least 28 days and at most 52 weeks. Unknown without an outline, in the first week of activity, and while no
    lesson has been completed at a known time. `last_at` is the time of the latest event, if any.
    """
    if completion(history, outline):
        return Projection(ProjectionState.FINISHED)
    left = sum(1 for lesson in outline or () if lesson not in history or not history[lesson].completed)
    times = [*_activity(history), *([last_at] if last_at else [])]
    if left == 0 or not times or now - min(times) < _WEEK:
        return Projection(ProjectionState.UNKNOWN)
    if now - max(times) > _RECENT:
        return Projection(ProjectionState.NOT_AT_PRESENT_PACE)
    rates = velocity(history, outline, now)
    rate, basis = (rates.recent, Basis.RECENT) if rates.recent else (rates.overall, Basis.OVERALL)
    if rate == 0:
        return Projection(ProjectionState.UNKNOWN)
    length = now - min(times) if course_days is None else timedelta(days=course_days)
    if left / rate > min(max(length, _RECENT), _MAX_LENGTH) / _WEEK:
        return Projection(ProjectionState.NOT_AT_PRESENT_PACE)
    return Projection(ProjectionState.PROJECTED, local_day(now + left / rate * _WEEK, zones), rate, basis)


def _activity(history: History) -> list[datetime]:
    """Return the times of the first visits and the completions of all lessons."""
    visited = [each.first_visit_at for each in history.values() if each.first_visit_at]
    return visited + [each.completed_at for each in history.values() if each.completed and each.completed_at]


def _rate(completions: Sequence[datetime], since: datetime, now: datetime) -> float:
    return sum(1 for moment in completions if moment >= since) / max(1.0, (now - since) / _WEEK)
