"""Recommendations: continue with the next lesson, and look again at some completed ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.analytics.rules.learner_history import History, LessonHistory
from worker.analytics.rules.reasons import Reason, Rule
from worker.contract.lesson import Lesson
from worker.summary.next_lesson import NextLesson


class RecommendationKind(StrEnum):
    """The recommended action."""

    NEXT = "next"
    SECOND_LOOK = "second_look"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A recommended lesson and the reasons; the caller adds the title from the outline."""

    kind: RecommendationKind
    topic_id: int
    lesson_id: int
    reasons: tuple[Reason, ...]
    title: str | None = None


def recommendations(
    following: NextLesson | None,
    history: History,
    outline: Sequence[Lesson],
    medians: Mapping[Lesson, float],
    *,
    hurried_ratio: float,
    revisits: int,
    limit: int = 5,
) -> list[Recommendation]:
    """Return the summary's next lesson, then lessons worth a second look in outline order, `limit` in total.

    A completed lesson of the outline is worth a second look if less than `hurried_ratio` of its median time was spent
    on it, or if it was visited at least `revisits` times since its completion. `medians` are the median seconds of the
    learners who completed the lesson. No time at all means that none was measured, not that the learner hurried.
    """
    found = []
    if following:
        place = following.topic_id, following.lesson_id
        found.append(Recommendation(RecommendationKind.NEXT, *place, (Reason(following.reason),)))
    for lesson in outline:
        reasons = _second_look(history.get(lesson, LessonHistory()), medians.get(lesson, 0), hurried_ratio, revisits)
        if reasons:
            found.append(Recommendation(RecommendationKind.SECOND_LOOK, *lesson, tuple(reasons)))
    return found[:limit]


def _second_look(each: LessonHistory, median: float, hurried_ratio: float, revisits: int) -> list[Reason]:
    if not each.completed:
        return []
    reasons = []
    if 0 < each.seconds < hurried_ratio * median:
        reasons.append(Reason(Rule.HURRIED, None, each.seconds, median, hurried_ratio))
    again = each.visits - each.visits_to_complete if each.visits_to_complete is not None else 0
    if again >= revisits:
        reasons.append(Reason(Rule.REVISITED, visits=again))
    return reasons
