"""A learner's pace, and the projected completion of the course."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from worker.analytics.rules.learner_history import History
from worker.analytics.rules.local_day import Zones, local_day
from worker.contract.lesson import Lesson

_WEEK = timedelta(weeks=1)
_RECENT = timedelta(days=28)
_HORIZON_WEEKS = 520
"""Ten years: a later completion is not projected."""


class Basis(StrEnum):
    """The rate a projection is based on."""

    RECENT = "recent"
    OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Velocity:
    """Lessons completed a week."""

    overall: float
    recent: float


@dataclass(frozen=True, slots=True)
class Projection:
    """The day on which the course will be completed at `rate` lessons a week."""

    completed_on: date
    rate: float
    basis: Basis


def velocity(history: History, outline: Sequence[Lesson] | None, now: datetime) -> Velocity:
    """Return the lessons completed a week, overall and in the last 28 days.

    A rate is the lessons completed in a period divided by its weeks, at least one. The overall period begins with the
    first activity, the recent one 28 days ago or with the first activity, whichever is later. Only lessons of the
    outline count, if there is one, and only completions at a known time. The first activity is the earliest visit or
    completion of any lesson.
    """
    completed = {lesson: each.completed_at for lesson, each in history.items() if each.completed and each.completed_at}
    visited = [each.first_visit_at for each in history.values() if each.first_visit_at]
    since = min([*visited, *completed.values()], default=now)
    counting = completed.keys() if outline is None else completed.keys() & set(outline)
    completions = [completed[lesson] for lesson in counting]
    recent = max(since, now - _RECENT)
    return Velocity(_rate(completions, since, now), _rate(completions, recent, now))


def projection(history: History, outline: Sequence[Lesson] | None, now: datetime, zones: Zones) -> Projection | None:
    """Return the local date by which the rest of the outline will be completed, counted from `now`.

    The rate is that of the last 28 days, or the overall one if that is zero. None if nothing is left to complete,
    there is no outline or no rate, or it would take more than ten years.
    """
    left = sum(1 for lesson in outline or () if lesson not in history or not history[lesson].completed)
    rates = velocity(history, outline, now)
    rate, basis = (rates.recent, Basis.RECENT) if rates.recent else (rates.overall, Basis.OVERALL)
    if left == 0 or left > rate * _HORIZON_WEEKS:
        return None
    return Projection(local_day(now + left / rate * _WEEK, zones), rate, basis)


def _rate(completions: Sequence[datetime], since: datetime, now: datetime) -> float:
    return sum(1 for moment in completions if moment >= since) / max(1.0, (now - since) / _WEEK)
