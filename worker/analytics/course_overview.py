"""How a whole course is doing: its statistics, those of its lessons, and the summaries of its learners page by page.

All from the rollups, in as many queries for 10,000 learners as for one: five, and two more when some summary of the
page is not current.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.analytics.rules.completion_statistics import Statistics
from worker.analytics.stored_statistics import StoredStatistics, read_statistics
from worker.contract.ids import MAX_ID
from worker.database.engine import snapshot
from worker.errors import InputError, NotFoundError
from worker.progress.enrollments import enrollments_of
from worker.progress.stored_outline import StoredOutline, read_outlines
from worker.summary.read import TitledSummary, read_summaries

PAGE = 50
"""Learners of a page, when nobody says how many."""


@dataclass(frozen=True, slots=True)
class LessonOverview:
    """A lesson of the course. It has no statistics while those that are stored are older than its place."""

    topic_id: int
    lesson_id: int
    title: str | None
    statistics: Statistics | None


@dataclass(frozen=True, slots=True)
class Overview:
    """A course in one snapshot of the database.

    The statistics are those of the instant `as_of`, both None before they are first computed; lessons are in the order
    of the outline, without one by topic and lesson. The learners' summaries are those of now.
    """

    course_id: int
    statistics: Statistics | None
    as_of: datetime | None
    lessons: list[LessonOverview]
    learners: list[TitledSummary]
    next_after: int | None
    """The `after` of the next page; None when this is the last one."""


def get_overview(engine: Engine, course_id: int, *, after: int = 0, limit: int = PAGE) -> Overview:
    """The course with up to `limit` of its learners, by enrollment id, those above `after`.

    Raises InputError for what is no id, and NotFoundError for a course that nothing is known of.
    """
    require_course(course_id)
    with snapshot(engine) as connection:
        stored = read_statistics(connection, course_id)
        outline = read_outlines(connection, [course_id]).get(course_id)
        ids = enrollments_of(connection, course_id, after, limit + 1)
        if not (stored or outline or ids or _has_enrollments(connection, course_id)):
            raise unknown_course(course_id)
        return Overview(
            course_id=course_id,
            statistics=stored.course if stored else None,
            as_of=stored.as_of if stored else None,
            lessons=_lessons(stored, outline),
            learners=read_summaries(connection, ids[:limit]),
            next_after=ids[limit - 1] if len(ids) > limit else None,
        )


def require_course(course_id: int) -> None:
    """Return when it can be one. Raises InputError."""
    if not 1 <= course_id <= MAX_ID:
        raise InputError(f"{course_id} is no course id: ids are whole numbers from 1 on.")


def unknown_course(course_id: int) -> NotFoundError:
    """What to tell who asks for a course that nothing is known of."""
    return NotFoundError(
        f"Nothing is known of a course {course_id}: it has neither an enrollment nor an outline. "
        "Its events may still be waiting: see `progress-worker status`."
    )


def _has_enrollments(connection: Connection, course_id: int) -> bool:
    """Also below the page that was asked for."""
    return bool(enrollments_of(connection, course_id, 0, 1))


def _lessons(stored: StoredStatistics | None, outline: StoredOutline | None) -> list[LessonOverview]:
    known = stored.lessons if stored else {}
    titles = outline.titles if outline else dict.fromkeys(sorted(known))
    return [LessonOverview(*lesson, title, known.get(lesson)) for lesson, title in titles.items()]
