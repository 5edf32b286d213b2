"""The overview of a course: its statistics, those of its lessons, and the summaries of its learners in pages.

From the rollups, in six queries whatever the number of learners; one more while any change is pending, and two more if
any summary of the page is stale.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.analytics.freshness import course_freshness
from worker.analytics.rules.completion_statistics import Statistics
from worker.analytics.stored_statistics import StoredStatistics, read_statistics
from worker.contract.id_ranges import MAX_ID
from worker.database.engine import snapshot
from worker.errors import InputError, NotFoundError
from worker.progress.enrollments import enrollments_of
from worker.progress.stored_outline import StoredOutline, read_outlines
from worker.summary.read import TitledSummary, read_summaries

PAGE = 50
"""Default number of learners on a page."""


@dataclass(frozen=True, slots=True)
class LessonOverview:
    """A lesson of the course, without statistics if it is newer than those stored."""

    topic_id: int
    lesson_id: int
    title: str | None
    statistics: Statistics | None


@dataclass(frozen=True, slots=True)
class Overview:
    """A course in one snapshot of the database.

    The statistics include everything recorded before `as_of`; both are None until first computed. `pending` enrollments
    have changes that they do not include yet. Lessons are in outline order, without an
    outline by topic and lesson. The learners' summaries are current.
    """

    course_id: int
    statistics: Statistics | None
    as_of: datetime | None
    pending: int
    lessons: list[LessonOverview]
    learners: list[TitledSummary]
    next_after: int | None
    """The `after` of the next page; None on the last page."""


def get_overview(engine: Engine, course_id: int, *, after: int = 0, limit: int = PAGE) -> Overview:
    """Return the course with up to `limit` of its learners, by enrollment id above `after`.

    Raises InputError for an invalid id, and NotFoundError for an unknown course.
    """
    require_course(course_id)
    with snapshot(engine) as connection:
        stored = read_statistics(connection, course_id)
        outline = read_outlines(connection, [course_id]).get(course_id)
        ids = enrollments_of(connection, course_id, after, limit + 1)
        if not (stored or outline or ids or _has_enrollments(connection, course_id)):
            raise unknown_course(course_id)
        freshness = course_freshness(connection, course_id)
        return Overview(
            course_id=course_id,
            statistics=stored.course if stored else None,
            as_of=freshness.as_of,
            pending=freshness.pending,
            lessons=_lessons(stored, outline),
            learners=read_summaries(connection, ids[:limit]),
            next_after=ids[limit - 1] if len(ids) > limit else None,
        )


def require_course(course_id: int) -> None:
    """Raise InputError unless this can be a course id."""
    if not 1 <= course_id <= MAX_ID:
        raise InputError(f"{course_id} is not a course id: ids are whole numbers from 1.")


def unknown_course(course_id: int) -> NotFoundError:
    """Return the error for a course without enrollments and outline."""
    return NotFoundError(
        f"Course {course_id} is unknown: it has no enrollment and no outline. "
        "Its events may still be waiting; see `progress-worker status`."
    )


def _has_enrollments(connection: Connection, course_id: int) -> bool:
    """Return whether the course has any, on whatever page."""
    return bool(enrollments_of(connection, course_id, 0, 1))


def _lessons(stored: StoredStatistics | None, outline: StoredOutline | None) -> list[LessonOverview]:
    known = stored.lessons if stored else {}
    titles = outline.titles if outline else dict.fromkeys(sorted(known))
    return [LessonOverview(*lesson, title, known.get(lesson)) for lesson, title in titles.items()]
