"""What one learner did in a course, lesson by lesson: what the learner's analytics are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.domain.outline import Lesson
from worker.domain.status import ProgressStatus


@dataclass(frozen=True, slots=True)
class LessonHistory:
    """One lesson of one enrolment; the defaults are those of a lesson that was never touched.

    `seconds` and `visits` are those of all its time, also after the completion. `visits_to_complete` are the visits up
    to the completion, its own included; None while it is not completed, or where that was set by hand.
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
