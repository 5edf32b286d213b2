"""Whether all lessons of a course or topic are completed, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.analytics.rules.learner_history import History, LessonHistory
from worker.contract.lesson import Lesson


@dataclass(frozen=True, slots=True)
class Completion:
    """All lessons are completed, the last one at this time; None if the time of any completion is unknown."""

    completed_at: datetime | None


def completion(history: History, lessons: Sequence[Lesson] | None) -> Completion | None:
    """Return the completion of these lessons; None if there are none, or any is not completed."""
    found = [history.get(lesson, LessonHistory()) for lesson in lessons or ()]
    if not found or not all(each.completed for each in found):
        return None
    times = [each.completed_at for each in found if each.completed_at]
    return Completion(max(times) if len(times) == len(found) else None)
