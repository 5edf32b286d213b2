"""The answers of the endpoints of an enrollment."""

from datetime import datetime

from pydantic import Field

from worker.api.schema import Answer, Percentage, TotalIsKnown
from worker.contract.progress_status import ProgressStatus
from worker.summary.next_lesson import NextReason


class Lesson(Answer):
    """A lesson of the course, with the outline's title. Without a row it is not started and its id is null.

    Rows at the lesson's earlier places count too. The id is that of its current row, else of the first earlier one.
    """

    id: int | None
    user_course_id: int
    topic_id: int
    lesson_id: int
    title: str | None
    status: ProgressStatus
    last_viewed_at: datetime | None
    completed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


class Topic(Answer):
    """The totals of a topic and its first 1,000 lessons, in outline order."""

    user_course_id: int
    topic_id: int
    total_lessons: int
    total_is_known: TotalIsKnown
    completed_lessons: int
    in_progress_lessons: int
    not_started_lessons: int
    completion_percentage: Percentage
    lessons: list[Lesson]


class Lessons(Answer):
    """A page of lessons, in outline order."""

    user_course_id: int
    lessons: list[Lesson]
    next_after: str | None = Field(description="The `after` of the next page; null on the last page.")


class Summary(Answer):
    """How far an enrollment is. Never stale, whenever it was stored.

    A position on a lesson that is not started, or has no row, is ignored. The next lesson is the current one if it is
    not completed, else the first one after it that is not completed, else the first in the course.
    """

    user_course_id: int
    total_lessons: int
    total_is_known: TotalIsKnown
    completed_lessons: int
    in_progress_lessons: int
    not_started_lessons: int
    completion_percentage: Percentage
    current_topic_id: int | None
    current_lesson_id: int | None
    current_section_id: int | None
    next_topic_id: int | None
    next_lesson_id: int | None
    next_reason: NextReason | None
    last_activity_at: datetime | None = Field(description="Of the latest view or completion; a correction is neither.")
    refreshed_at: datetime
