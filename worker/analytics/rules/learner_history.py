"""One learner's history in a course, lesson by lesson: the basis of the learner's analytics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.analytics.rules.activity import Activity, TimeSpent, Visits
from worker.analytics.rules.counted_activity import counted_activity
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.moved_lessons import Moved
from worker.progress.reference import Progress, State
from worker.summary.counted_lessons import counted_rows
from worker.summary.rules import moved_places


@dataclass(frozen=True, slots=True)
class LessonHistory:
    """One lesson of one enrollment; the defaults are those of an untouched lesson.

    `seconds` and `visits` include those after the completion. `visits_to_complete` are the visits begun up to
    `completed_at`; None if it has none.
    """

    status: ProgressStatus = ProgressStatus.NOT_STARTED
    completed_at: datetime | None = None
    seconds: float = 0
    visits: int = 0
    first_visit_at: datetime | None = None
    visits_to_complete: int | None = None

    @property
    def completed(self) -> bool:
        """Whether the lesson is completed, possibly at an unknown time."""
        return self.status is ProgressStatus.COMPLETED


History = Mapping[Lesson, LessonHistory]
"""History of one enrollment; a missing lesson is untouched."""


def counted_history(
    rows: Mapping[Lesson, Progress], activity: Activity, moved: Moved
) -> tuple[dict[Lesson, LessonHistory], Activity]:
    """Return the history and activity that count for each lesson, from those of each place."""
    if moved:
        rows, activity = counted_rows(rows, moved), counted_activity(activity, rows, moved)
    history = {
        lesson: LessonHistory(row.status, row.completed_at, *_activity(activity.lessons.get(lesson)))
        for lesson, row in rows.items()
    }
    return history, activity


def _activity(its: tuple[TimeSpent, Visits] | None) -> tuple[float, int, datetime | None, int | None]:
    if its is None:
        return 0, 0, None, None
    spent, visits = its
    return spent.seconds, visits.visits, visits.first_visit_at, visits.visits_to_complete


def learners(
    state: State, activities: Mapping[int, Activity]
) -> dict[int, tuple[dict[Lesson, LessonHistory], Activity]]:
    """Return the counted history and activity of every enrollment, from its activity by place."""
    rows: dict[int, dict[Lesson, Progress]] = {key: {} for key in state.enrollments}
    for (key, topic_id, lesson_id), row in state.progress.items():
        rows[key][topic_id, lesson_id] = row
    found = {}
    for key, its in rows.items():
        found[key] = counted_history(its, activities[key], moved_places(state, state.enrollments[key].data.course_id))
    return found
