"""Completion statistics: how many enrollments started and completed a course and each of its lessons.

The definitions in plain Python; production computes the same in SQL (`worker/analytics/statistics_statement.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import Progress, State
from worker.summary.counted_lessons import counted_rows
from worker.summary.percentage import percentage
from worker.summary.rules import Summary, live_lessons, moved_places, summaries


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of a course or a lesson over all enrollments of the course.

    A lesson is started when it is in progress or completed. A course is started when any counted lesson is, and
    completed when every lesson of its outline is, at least one; without an outline it is never completed.
    `completion_rate` is the `percentage` (worker.summary) of enrollments that completed it. The last activity is
    the latest lesson event in the course, or of the lesson.
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
    """Counts the completion statistics of one course, enrollment by enrollment."""

    def __init__(self, outline: Sequence[Lesson] | None) -> None:
        """Take the course's outline; with None, every lesson that has a row counts."""
        self._outline = outline
        self._enrollments = 0
        self._course = _Count()
        self._lessons = {lesson: _Count() for lesson in outline or ()}

    def add(self, summary: Summary, rows: Mapping[Lesson, Progress]) -> None:
        """Count one enrollment by its summary and its counted rows."""
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
        """Return the statistics of the course."""
        return self._course.of(self._enrollments)

    def lessons(self) -> dict[Lesson, Statistics]:
        """Return the statistics of each counted lesson."""
        return {lesson: count.of(self._enrollments) for lesson, count in self._lessons.items()}


def tallies(state: State) -> dict[int, Tally]:
    """Return the tally of every course that has an outline or an enrollment."""
    found = {course_id: Tally(live_lessons(state, course_id)) for course_id in state.outlines}
    rows: dict[int, dict[Lesson, Progress]] = {user_course_id: {} for user_course_id in state.enrollments}
    for (user_course_id, topic_id, lesson_id), row in state.progress.items():
        rows[user_course_id][topic_id, lesson_id] = row
    for user_course_id, summary in summaries(state).items():
        course_id = state.enrollments[user_course_id].data.course_id
        its = counted_rows(rows[user_course_id], moved_places(state, course_id))
        found.setdefault(course_id, Tally(live_lessons(state, course_id))).add(summary, its)
    return found
