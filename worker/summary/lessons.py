"""The lessons of an enrollment in outline order, each with its progress: of one topic, or all in pages.

Lessons without a row are not started. Lessons no longer in the outline are neither counted nor shown, but keep their
rows. Without an outline, the enrollment's own rows take its place, by topic and lesson.
"""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, Engine

from worker.contract.progress_status import ProgressStatus
from worker.database.engine import snapshot
from worker.errors import ConflictError, InputError, NotFoundError, unknown_enrollment
from worker.progress.progress_rows import (
    EnrollmentCourse,
    LessonState,
    count_outlined,
    count_own_rows,
    find_ordinal,
    read_courses,
    read_outlined,
    read_own_rows,
)
from worker.summary.percentage import percentage

PAGE = 200
"""Default number of lessons on a page."""

MAX_TOPIC_LESSONS = 1_000
"""Maximum number of lessons listed of a topic."""

Bookmark = tuple[int, int, int]
"""The end of a page: (topic_id, lesson_id, version of the outline or 0)."""


@dataclass(frozen=True, slots=True)
class TopicProgress:
    """The first 1,000 lessons of one topic; the counts cover all and add up to `total_lessons`."""

    user_course_id: int
    topic_id: int
    total_lessons: int
    total_is_known: bool
    """Whether the course has an outline; without one, the total counts lessons with a row."""
    completed_lessons: int
    in_progress_lessons: int
    not_started_lessons: int
    completion_percentage: Decimal
    lessons: list[LessonState]


@dataclass(frozen=True, slots=True)
class LessonPage:
    """Some lessons of the course; `next_after` is the `after` of the next page, None on the last."""

    user_course_id: int
    lessons: list[LessonState]
    next_after: Bookmark | None


def get_topic(engine: Engine, user_course_id: int, topic_id: int) -> TopicProgress:
    """Return the first 1,000 lessons of a topic, with the totals of all.

    Raises NotFoundError if the enrollment does not exist or no lesson of the topic counts.
    """
    with snapshot(engine) as connection:
        course = _course(connection, user_course_id)
        if course.outline_version and course.course_id:
            its = (connection, user_course_id, course.course_id)
            counts = count_outlined(*its, topic_id, has_moved=course.has_moved)
            lessons = read_outlined(*its, has_moved=course.has_moved, topic_id=topic_id, limit=MAX_TOPIC_LESSONS)
        else:
            counts = count_own_rows(connection, user_course_id, topic_id)
            lessons = read_own_rows(connection, user_course_id, topic_id=topic_id, limit=MAX_TOPIC_LESSONS)
    if not lessons:
        where = "The outline of its course" if course.outline_version else f"Enrollment {user_course_id}"
        raise NotFoundError(f"{where} has no lesson in topic {topic_id}.")
    total, completed = counts.total(), counts[ProgressStatus.COMPLETED]
    return TopicProgress(
        user_course_id=user_course_id,
        topic_id=topic_id,
        total_lessons=total,
        total_is_known=bool(course.outline_version),
        completed_lessons=completed,
        in_progress_lessons=counts[ProgressStatus.IN_PROGRESS],
        not_started_lessons=counts[ProgressStatus.NOT_STARTED],
        completion_percentage=percentage(completed, total),
        lessons=lessons,
    )


def get_lessons(
    engine: Engine,
    user_course_id: int,
    *,
    status: ProgressStatus | None = None,
    after: Bookmark | None = None,
    limit: int = PAGE,
) -> LessonPage:
    """Return up to `limit` lessons after the bookmark, of one status or of all.

    Raises NotFoundError if the enrollment does not exist, InputError for a limit below 1, and ConflictError if the
    outline changed since the bookmark: lessons may have moved to pages already shown.
    """
    _require_size(limit)
    with snapshot(engine) as connection:
        course = _course(connection, user_course_id)
        version = course.outline_version or 0
        last_seen = (after[0], after[1]) if after else (0, 0)
        if after and after[2] != version:
            raise _outline_changed()
        if version and course.course_id:
            ordinal = find_ordinal(connection, course.course_id, last_seen) if after else 0
            if ordinal is None:
                raise _outline_changed()
            found = read_outlined(
                connection,
                user_course_id,
                course.course_id,
                has_moved=course.has_moved,
                status=status,
                after=ordinal,
                limit=limit + 1,
            )
        else:
            found = read_own_rows(connection, user_course_id, status=status, after=last_seen, limit=limit + 1)
    return _page(user_course_id, found, limit, version)


def get_rows(
    engine: Engine,
    user_course_id: int,
    *,
    status: ProgressStatus | None = None,
    after: Bookmark | None = None,
    limit: int = PAGE,
) -> LessonPage:
    """Return up to `limit` rows after the bookmark, by topic and lesson, of one status or of all, as they are stored.

    Whatever the outline: a moved lesson has a row per place, and an untouched lesson none. Raises NotFoundError if the
    enrollment does not exist, and InputError for a limit below 1.
    """
    _require_size(limit)
    with snapshot(engine) as connection:
        _course(connection, user_course_id)
        found = read_own_rows(
            connection, user_course_id, status=status, after=after[:2] if after else (0, 0), limit=limit + 1
        )
    return _page(user_course_id, found, limit, 0)


def _require_size(limit: int) -> None:
    if limit < 1:
        raise InputError(f"The page size is {limit}; it must be at least 1.")


def _page(user_course_id: int, found: list[LessonState], limit: int, version: int) -> LessonPage:
    """Return the page of a query for one row more."""
    lessons = found[:limit]
    last = lessons[-1] if len(found) > limit else None
    return LessonPage(user_course_id, lessons, (last.topic_id, last.lesson_id, version) if last else None)


def _course(connection: Connection, user_course_id: int) -> EnrollmentCourse:
    course = read_courses(connection, [user_course_id]).get(user_course_id)
    if course is None:
        raise unknown_enrollment(user_course_id)
    return course


def _outline_changed() -> ConflictError:
    return ConflictError("The course's outline has changed since the previous page. Start again with the first page.")
