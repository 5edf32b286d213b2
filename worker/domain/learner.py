"""What one learner did in a course, lesson by lesson: what the learner's analytics are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.domain.activity import Activity
from worker.domain.outline import Lesson
from worker.domain.progress import State
from worker.domain.status import ProgressStatus


@dataclass(frozen=True, slots=True)
class LessonHistory:
    """One lesson of one enrolment; the defaults are those of a lesson that was never touched.

    `seconds` and `visits` are those of all its time, also after the completion. `visits_to_complete` are the visits
    begun up to `completed_at`; None where it has none.
    """

    status: ProgressStatus = ProgressStatus.NOT_STARTED
    completed_at: datetime | None = None
    seconds: float = 0
    visits: int = 0
    first_visit_at: datetime | None = None
    visits_to_complete: int | None = None

    @property
    def completed(self) -> bool:
        """Whether it counts as completed; that may be so at a time that nobody knows."""
        return self.status is ProgressStatus.COMPLETED


History = Mapping[Lesson, LessonHistory]
"""Of one enrolment; a lesson that is not in it was never touched."""


def histories(state: State, activities: Mapping[int, Activity]) -> dict[int, dict[Lesson, LessonHistory]]:
    """The history of every enrolment, whose activity is given."""
    found: dict[int, dict[Lesson, LessonHistory]] = {key: {} for key in state.enrollments}
    for (key, topic_id, lesson_id), row in state.progress.items():
        its = activities[key].lessons.get((topic_id, lesson_id))
        found[key][topic_id, lesson_id] = (
            LessonHistory(
                row.status,
                row.completed_at,
                its[0].seconds,
                its[1].visits,
                its[1].first_visit_at,
                its[1].visits_to_complete,
            )
            if its
            else LessonHistory(row.status, row.completed_at)
        )
    return found
