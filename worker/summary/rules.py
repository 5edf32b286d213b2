"""The summary of one enrollment: lesson counts, percentage, current and next lesson."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.current_lesson import CurrentLesson
from worker.progress.moved_lessons import Moved, moved_lessons
from worker.progress.reference import State
from worker.summary.counted_lessons import counted_statuses
from worker.summary.next_lesson import NextLesson, NextReason, next_lesson
from worker.summary.percentage import percentage


@dataclass(frozen=True, slots=True)
class Summary:
    """The published fields; the counts add up to `total_lessons`."""

    user_course_id: int
    total_lessons: int
    total_is_known: bool
    """Whether the course has an outline; without one, the total counts lessons with a row."""
    completed_lessons: int
    in_progress_lessons: int
    not_started_lessons: int
    completion_percentage: Decimal
    current_topic_id: int | None
    current_lesson_id: int | None
    current_section_id: int | None
    next_topic_id: int | None
    next_lesson_id: int | None
    next_reason: NextReason | None
    last_activity_at: datetime | None

    @property
    def has_completed_course(self) -> bool:
        """Whether the course has an outline with lessons, all of them completed."""
        return self.total_is_known and 0 < self.total_lessons == self.completed_lessons

    @property
    def following(self) -> NextLesson | None:
        """The next lesson, if any."""
        if self.next_topic_id is None or self.next_lesson_id is None or self.next_reason is None:
            return None
        return NextLesson(self.next_topic_id, self.next_lesson_id, self.next_reason)


def summarize(
    user_course_id: int,
    outline: Sequence[Lesson] | None,
    rows: Mapping[Lesson, ProgressStatus],
    current: CurrentLesson,
    moved: Moved | None = None,
) -> Summary:
    """Return the summary from an enrollment's rows and its course's outline, in order, None without one.

    `moved` maps former places of lessons to present ones: rows and positions there count for the lesson. Without an
    outline the rows take its place, by topic and lesson. Lessons outside the outline do not count, so the percentage
    never exceeds 100; without lessons it is 0. A current lesson that is not started, or has no row, is dropped.
    """
    if moved:
        rows, current = counted_statuses(rows, moved), current.moved(moved)
    lessons = sorted(rows) if outline is None else outline
    statuses = [rows.get(lesson, ProgressStatus.NOT_STARTED) for lesson in lessons]
    completed = statuses.count(ProgressStatus.COMPLETED)
    in_progress = statuses.count(ProgressStatus.IN_PROGRESS)
    done = {lesson for lesson, status in rows.items() if status is ProgressStatus.COMPLETED}
    if current.lesson is None or rows.get(current.lesson, ProgressStatus.NOT_STARTED) is ProgressStatus.NOT_STARTED:
        current = CurrentLesson(at=current.at)
    following = next_lesson(lessons, current.lesson, done)
    return Summary(
        user_course_id=user_course_id,
        total_lessons=len(lessons),
        total_is_known=outline is not None,
        completed_lessons=completed,
        in_progress_lessons=in_progress,
        not_started_lessons=len(lessons) - completed - in_progress,
        completion_percentage=percentage(completed, len(lessons)),
        current_topic_id=current.topic_id,
        current_lesson_id=current.lesson_id,
        current_section_id=current.section_id,
        next_topic_id=following.topic_id if following else None,
        next_lesson_id=following.lesson_id if following else None,
        next_reason=following.reason if following else None,
        last_activity_at=current.at,
    )


def summaries(state: State) -> dict[int, Summary]:
    """Return the summary of every enrollment."""
    rows: dict[int, dict[Lesson, ProgressStatus]] = {user_course_id: {} for user_course_id in state.enrollments}
    for (user_course_id, topic_id, lesson_id), row in state.progress.items():
        rows[user_course_id][topic_id, lesson_id] = row.status
    found = {}
    for user_course_id, event in state.enrollments.items():
        where = state.positions.get(user_course_id)
        current = (
            CurrentLesson(where.topic_id, where.lesson_id, where.section_id, where.occurred_at)
            if where
            else CurrentLesson()
        )
        outline = live_lessons(state, event.data.course_id)
        moved = moved_places(state, event.data.course_id)
        found[user_course_id] = summarize(user_course_id, outline, rows[user_course_id], current, moved)
    return found


def live_lessons(state: State, course_id: int) -> list[Lesson] | None:
    """Return the lessons of the course's outline in order, None without one."""
    outline = state.outlines.get(course_id)
    return None if outline is None else [(lesson.topic_id, lesson.lesson_id) for lesson in outline]


def moved_places(state: State, course_id: int) -> Moved:
    """Return the present place for each former place of the course's lessons."""
    return moved_lessons(state.outlines.get(course_id, ()))
