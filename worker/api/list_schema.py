"""The answers of the endpoints that list courses, enrollments, summaries and rows."""

from datetime import datetime

from pydantic import Field

from worker.api.course_schema import Statistics
from worker.api.learner_schema import AsOf
from worker.api.progress_schema import Progress
from worker.api.schema import Answer
from worker.api.summary_schema import Summary

NEXT_AFTER = "The `after` of the next page; null on the last page."


class ListedCourse(Answer):
    """A course with an enrollment or an outline."""

    course_id: int
    total_lessons: int | None = Field(description="Lessons of the outline; null without one.")
    statistics: Statistics | None = Field(description="Null until first computed.")
    computed_at: datetime | None = Field(description="When the statistics were exact.")
    as_of: AsOf
    has_pending: bool = Field(description="Whether enrollments have changes that are not included yet.")


class Courses(Answer):
    """A page of courses, by id."""

    courses: list[ListedCourse]
    next_after: int | None = Field(description=NEXT_AFTER)


class ListedEnrollment(Summary):
    """An enrollment with its user, its course and its summary, which is never stale."""

    user_id: int | None
    course_id: int | None


class Enrollments(Answer):
    """A page of enrollments, by id."""

    enrollments: list[ListedEnrollment]
    next_after: int | None = Field(description=NEXT_AFTER)


class Summaries(Answer):
    """The summaries asked for, in that order."""

    summaries: list[Summary]
    unknown: list[int | str] = Field(
        description="Ids of no enrollment, or of one this token has no access to; what is no id, as asked for."
    )


class Rows(Answer):
    """A page of an enrollment's rows, by topic and lesson."""

    user_course_id: int
    rows: list[Progress]
    next_after: str | None = Field(description=NEXT_AFTER)
