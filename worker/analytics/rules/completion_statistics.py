"""The statistics of a course and of its lessons: how many enrollments started and completed each.

PostgreSQL computes the same set by set (`worker/analytics/statistics_claims.py`); here each definition stands once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import Progress, State
from worker.summary.counted_lessons import counted_rows
from worker.summary.rules import Summary, live_lessons, moved_places, percentage, summaries


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a course or a lesson, over all enrollments of the course.

    A lesson is started when it is in progress or completed. A course is started when any lesson that counts is, and
    completed when all of its outline's are, at least one; without an outline nobody has completed it.
    `completion_rate` is `completed` of `enrollments` as `worker.summary.rules.percentage` has it. The last activity is
    the latest lesson event anywhere in the course, or of this lesson.
    """

    enrollments: int
    started: int
    completed: int
    completion_rate: Decimal
    last_activity_at: datetime | None


@dataclass(slots=True)
class _Count:
    started: int = 0
    completed: int = 0
    last_activity_at: datetime | None = None

    def add(self, *, started: bool, completed: bool, at: datetime | None) -> None:
        self.started += started
        self.completed += completed
        self.last_activity_at = max(filter(None, (self.last_activity_at, at)), default=None)

    def of(self, enrollments: int) -> Statistics:
        rate = percentage(self.completed, enrollments)
        return Statistics(enrollments, self.started, self.completed, rate, self.last_activity_at)


class Tally:
    """The statistics of one course, counted enrollment by enrollment."""

    def __init__(self, outline: Sequence[Lesson] | None) -> None:
        """The course's outline, None where it has none: then each lesson counts that has a row."""
        self._outline = outline
        self._enrollments = 0
        self._course = _Count()
        self._lessons = {lesson: _Count() for lesson in outline or ()}

    def add(self, summary: Summary, rows: Mapping[Lesson, Progress]) -> None:
        """Count one enrollment: its summary and its rows, those of each lesson as they count for it."""
        self._enrollments += 1
        self._course.add(
            started=summary.completed_lessons + summary.in_progress_lessons > 0,
            completed=summary.has_completed_course,
            at=summary.last_activity_at,
        )
        for lesson, row in rows.items():
            if self._outline is None:
                self._lessons.setdefault(lesson, _Count())
            if lesson in self._lessons:
                self._lessons[lesson].add(
                    started=row.status is not ProgressStatus.NOT_STARTED,
                    completed=row.status is ProgressStatus.COMPLETED,
                    at=row.last_viewed_at,
                )

    def course(self) -> Statistics:
        """The course's own."""
        return self._course.of(self._enrollments)

    def lessons(self) -> dict[Lesson, Statistics]:
        """Those of each lesson that counts."""
        return {lesson: count.of(self._enrollments) for lesson, count in self._lessons.items()}


def tallies(state: State) -> dict[int, Tally]:
    """The statistics of every course that has an outline or an enrollment."""
    found = {course_id: Tally(live_lessons(state, course_id)) for course_id in state.outlines}
    rows: dict[int, dict[Lesson, Progress]] = {user_course_id: {} for user_course_id in state.enrollments}
    for (user_course_id, topic_id, lesson_id), row in state.progress.items():
        rows[user_course_id][topic_id, lesson_id] = row
    for user_course_id, summary in summaries(state).items():
        course_id = state.enrollments[user_course_id].data.course_id
        its = counted_rows(rows[user_course_id], moved_places(state, course_id))
        found.setdefault(course_id, Tally(live_lessons(state, course_id))).add(summary, its)
    return found
