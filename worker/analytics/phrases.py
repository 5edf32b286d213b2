"""Sentences for what the rules find: the rules give data, and every face phrases it here."""

from dataclasses import asdict
from typing import Any

from worker.analytics.analysis import LearnerAnalysis
from worker.analytics.rules.reasons import Reason, Rule
from worker.analytics.rules.recommendations import Recommendation
from worker.analytics.rules.stuck import Stuck
from worker.analytics.rules.velocity import Basis, Projection, ProjectionState
from worker.formatting import counted, duration, two_digits
from worker.summary.next_lesson import NextReason

NEXT_PHRASES = {
    NextReason.CURRENT: "go on with the current lesson",
    NextReason.AFTER_CURRENT: "first not completed after the current one",
    NextReason.NOT_COMPLETED: "first not completed of the course",
}
_BASES = {Basis.RECENT: "the last 28 days", Basis.OVERALL: "all time since the first activity"}

_NOT_PROJECTED = {
    ProjectionState.FINISHED: "the course is completed",
    ProjectionState.NOT_AT_PRESENT_PACE: "not at the present pace",
    ProjectionState.UNKNOWN: "unknown",
}


def lesson_phrase(found: Recommendation | Stuck) -> str:
    """Return why a lesson is recommended, or why a learner is considered stuck on it."""
    reasons = " and ".join(map(_reason_phrase, found.reasons))
    if isinstance(found, Stuck):
        return f"not completed after {reasons}, nor any later lesson since the first visit"
    return reasons


def projection_phrase(projection: Projection) -> str:
    """Return the rate that a projected completion rests on, or why none is projected."""
    if projection.rate is None or projection.basis is None:
        return _NOT_PROJECTED[projection.state]
    rate = two_digits(projection.rate)
    return f"at {rate} {'lesson' if rate == '1' else 'lessons'} a week, the rate of {_BASES[projection.basis]}"


def as_mapping(found: LearnerAnalysis) -> dict[str, Any]:
    """Return the analysis as plain members, each reason also as a sentence."""
    members = asdict(found)
    for name in ("stuck", "recommendations"):
        members[name] = [asdict(each) | {"reason": lesson_phrase(each)} for each in getattr(found, name)]
    members["projection"]["reason"] = projection_phrase(found.projection)
    return members


def _reason_phrase(reason: Reason) -> str:
    if isinstance(reason.rule, NextReason):
        return NEXT_PHRASES[reason.rule]
    spent, median = duration(reason.seconds or 0), f"the median of {duration(reason.median_seconds or 0)}"
    factor, visits = reason.median_factor or 0, reason.visits or 0
    match reason.rule:
        case Rule.MANY_VISITS:
            return counted(visits, "visit")
        case Rule.LONG_TIME:
            return f"{spent}, more than {factor:g} times {median}"
        case Rule.HURRIED:
            return f"only {spent} spent, less than {100 * factor:g} % of {median}"
        case Rule.REVISITED:
            return f"visited {counted(visits, 'time')} since it was completed"
