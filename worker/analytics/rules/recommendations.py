"""What a learner should do: go on with the next lesson, look again at some."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice

from worker.analytics.rules.learner_history import History, LessonHistory
from worker.contract.lesson import Lesson
from worker.formatting import counted, duration
from worker.summary.next_lesson import NextLesson


class RecommendationKind(StrEnum):
    """What to do with a lesson."""

    NEXT = "next"
    SECOND_LOOK = "second_look"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A lesson, what to do with it, and why; whoever knows the outline adds the title."""

    kind: RecommendationKind
    topic_id: int
    lesson_id: int
    reason: str
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
    """The summary's next lesson, then those worth a second look in outline order, `limit` in all.

    A completed lesson of the outline is worth a second look when less than `hurried_ratio` of its median time was spent
    on it, or when it was visited at least `revisits` times since it was completed. `medians` are the seconds of those
    who completed the lesson. No time at all is a time that nobody measured, and no hurry.
    """

    def second_looks() -> Iterator[Recommendation]:
        for topic_id, lesson_id in outline:
            each = history.get((topic_id, lesson_id), LessonHistory())
            reasons = _second_look(each, medians.get((topic_id, lesson_id), 0), hurried_ratio, revisits)
            if reasons:
                yield Recommendation(RecommendationKind.SECOND_LOOK, topic_id, lesson_id, " and ".join(reasons))

    first = (
        [Recommendation(RecommendationKind.NEXT, following.topic_id, following.lesson_id, following.reason.words)]
        if following
        else []
    )
    return list(islice(chain(first, second_looks()), limit))


def _second_look(each: LessonHistory, median: float, hurried_ratio: float, revisits: int) -> list[str]:
    if not each.completed:
        return []
    reasons = []
    if 0 < each.seconds < hurried_ratio * median:
        share = f"{100 * hurried_ratio:g} %"
        reasons.append(f"only {duration(each.seconds)} spent, less than {share} of the median of {duration(median)}")
    again = each.visits - each.visits_to_complete if each.visits_to_complete is not None else 0
    if again >= revisits:
        reasons.append(f"visited {counted(again, 'time')} since it was completed")
    return reasons
