"""Rows of `user_course_progress`: one, or those of an enrollment joined to its course's outline."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from worker.contract.lesson import Lesson, LessonKey, lesson_parameters
from worker.contract.progress_status import ProgressStatus

_FIND = text("""
    SELECT enrollment.id AS enrollment_id, known.id, known.user_course_id, known.topic_id, known.lesson_id,
           known.status, known.last_viewed_at, known.completed_at, known.created_at, known.updated_at
    FROM user_course AS enrollment
    LEFT JOIN user_course_progress AS known
           ON known.user_course_id = enrollment.id AND (known.topic_id, known.lesson_id) = (:topic_id, :lesson_id)
    WHERE enrollment.id = :user_course_id
""")

_INSERT_BLANK = text("""
    INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id)
    VALUES (:user_course_id, :topic_id, :lesson_id)
    ON CONFLICT (user_course_id, topic_id, lesson_id) DO NOTHING
""")

_COURSES = text("""
    SELECT enrollment.id, course_id, (SELECT version FROM course WHERE id = course_id) AS outline_version,
           EXISTS (SELECT FROM moved_lesson WHERE course_id = enrollment.course_id) AS has_moved
    FROM user_course AS enrollment WHERE id = ANY(CAST(:ids AS bigint[]))
""")

_ORDINAL = text("""
    SELECT ordinal FROM course_lesson
    WHERE course_id = :course_id AND topic_id = :topic_id AND lesson_id = :lesson_id
""")

# The rows of all places of a lesson combined; the id is that of its own row, or of the first.
_MOVED_ROWS = """(
    SELECT user_course_id, coalesce(moved.topic_id, its.topic_id) AS topic_id,
           coalesce(moved.lesson_id, its.lesson_id) AS lesson_id,
           coalesce(min(id) FILTER (WHERE moved.course_id IS NULL), min(id)) AS id, max(status) AS status,
           max(last_viewed_at) AS last_viewed_at, min(completed_at) AS completed_at,
           min(created_at) AS created_at, max(updated_at) AS updated_at
    FROM user_course_progress AS its
    LEFT JOIN moved_lesson AS moved
           ON (moved.course_id, from_topic_id, from_lesson_id) = (:course_id, its.topic_id, its.lesson_id)
    WHERE user_course_id = :user_course_id
    GROUP BY 1, 2, 3
)"""

_OUTLINED_FIRST = """
    SELECT known.id, CAST(:user_course_id AS bigint) AS user_course_id, lesson.topic_id, lesson.lesson_id, title,
           coalesce(known.status, 'not_started') AS status, last_viewed_at, completed_at, created_at, updated_at
    FROM course_lesson AS lesson
    LEFT JOIN
"""
_OUTLINED_LAST = """
           AS known
           ON known.user_course_id = :user_course_id
          AND (known.topic_id, known.lesson_id) = (lesson.topic_id, lesson.lesson_id)
    WHERE course_id = :course_id AND ordinal > :after
      AND (CAST(:topic_id AS int) IS NULL OR lesson.topic_id = :topic_id)
      AND (CAST(:status AS progress_status) IS NULL
           OR coalesce(known.status, 'not_started') = CAST(:status AS progress_status))
    ORDER BY ordinal LIMIT :limit
"""

_OUTLINED = {
    False: text(f"{_OUTLINED_FIRST} user_course_progress {_OUTLINED_LAST}"),
    True: text(f"{_OUTLINED_FIRST} {_MOVED_ROWS} {_OUTLINED_LAST}"),
}
"""By whether the course has moved lessons: looking for them would be most of the planning cost of the others."""

_OWN_ROWS = text("""
    SELECT id, user_course_id, topic_id, lesson_id, NULL AS title, status, last_viewed_at, completed_at,
           created_at, updated_at
    FROM user_course_progress
    WHERE user_course_id = :user_course_id AND (topic_id, lesson_id) > (:after_topic_id, :after_lesson_id)
      AND (CAST(:topic_id AS int) IS NULL OR topic_id = :topic_id)
      AND (CAST(:status AS progress_status) IS NULL OR status = CAST(:status AS progress_status))
    ORDER BY topic_id, lesson_id LIMIT :limit
""")

_STATUSES_FIRST = """
    SELECT coalesce(known.status, 'not_started') AS status, count(*) AS lessons
    FROM course_lesson AS lesson
    LEFT JOIN
"""
_STATUSES_LAST = """
           AS known
           ON known.user_course_id = :user_course_id
          AND (known.topic_id, known.lesson_id) = (lesson.topic_id, lesson.lesson_id)
    WHERE course_id = :course_id AND lesson.topic_id = :topic_id
    GROUP BY 1
"""

_OUTLINED_STATUSES = {
    False: text(f"{_STATUSES_FIRST} user_course_progress {_STATUSES_LAST}"),
    True: text(f"{_STATUSES_FIRST} {_MOVED_ROWS} {_STATUSES_LAST}"),
}

_OWN_STATUSES = text("""
    SELECT status, count(*) AS lessons FROM user_course_progress
    WHERE user_course_id = :user_course_id AND topic_id = :topic_id GROUP BY 1
""")

EVERYTHING = 2**31 - 1
"""A limit that means no limit."""


@dataclass(frozen=True, slots=True)
class StoredProgress:
    """A row of `user_course_progress`."""

    id: int
    user_course_id: int
    topic_id: int
    lesson_id: int
    status: ProgressStatus
    last_viewed_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class LessonState:
    """A lesson that counts, with its row; one without a row is not started and has neither id nor times.

    Rows of its earlier places count too; the id is that of its own row, or else of the oldest one.
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


@dataclass(frozen=True, slots=True)
class EnrollmentCourse:
    """The course of an enrollment and the version of its outline, if it has one."""

    course_id: int | None
    outline_version: int | None
    has_moved: bool
    """Whether any of its lessons has moved."""


def find_progress(connection: Connection, key: LessonKey) -> tuple[bool, StoredProgress | None]:
    """Return whether the enrollment exists, and its row of the lesson, if any. One query."""
    found = connection.execute(_FIND, lesson_parameters(key)).one_or_none()
    if found is None or found.id is None:
        return found is not None, None
    members = found._asdict()
    del members["enrollment_id"]
    return True, StoredProgress(**members | {"status": ProgressStatus(found.status)})


def insert_blank(connection: Connection, key: LessonKey) -> None:
    """Insert a row that is not started, before any event; an existing one is unchanged."""
    connection.execute(_INSERT_BLANK, lesson_parameters(key))


def read_courses(connection: Connection, ids: Sequence[int]) -> dict[int, EnrollmentCourse]:
    """Return the course of each of these enrollments that exists."""
    return {
        row.id: EnrollmentCourse(row.course_id, row.outline_version, row.has_moved)
        for row in connection.execute(_COURSES, {"ids": ids})
    }


def find_ordinal(connection: Connection, course_id: int, lesson: Lesson) -> int | None:
    """Return the lesson's number in the live outline, from 1; None if it is not in it."""
    parameters = {"course_id": course_id, "topic_id": lesson[0], "lesson_id": lesson[1]}
    found: int | None = connection.scalar(_ORDINAL, parameters)
    return found


def read_outlined(
    connection: Connection,
    user_course_id: int,
    course_id: int,
    *,
    has_moved: bool,
    topic_id: int | None = None,
    status: ProgressStatus | None = None,
    after: int = 0,
    limit: int = EVERYTHING,
) -> list[LessonState]:
    """Return up to `limit` lessons of the outline, or of one topic, in order, with an ordinal above `after`.

    `has_moved` is that of `read_courses`.
    """
    return _states(
        connection.execute(
            _OUTLINED[has_moved],
            {
                "user_course_id": user_course_id,
                "course_id": course_id,
                "topic_id": topic_id,
                "status": status and status.value,
                "after": after,
                "limit": limit,
            },
        )
    )


def read_own_rows(
    connection: Connection,
    user_course_id: int,
    *,
    topic_id: int | None = None,
    status: ProgressStatus | None = None,
    after: Lesson = (0, 0),
    limit: int = EVERYTHING,
) -> list[LessonState]:
    """Return up to `limit` rows above `after`, by topic and lesson; they count if there is no outline."""
    return _states(
        connection.execute(
            _OWN_ROWS,
            {
                "user_course_id": user_course_id,
                "topic_id": topic_id,
                "status": status and status.value,
                "after_topic_id": after[0],
                "after_lesson_id": after[1],
                "limit": limit,
            },
        )
    )


def count_outlined(
    connection: Connection, user_course_id: int, course_id: int, topic_id: int, *, has_moved: bool
) -> Counter[ProgressStatus]:
    """Count the lessons of the outline's topic by status."""
    parameters = {"user_course_id": user_course_id, "course_id": course_id, "topic_id": topic_id}
    return _counted(connection.execute(_OUTLINED_STATUSES[has_moved], parameters))


def count_own_rows(connection: Connection, user_course_id: int, topic_id: int) -> Counter[ProgressStatus]:
    """Count the enrollment's rows in the topic by status."""
    return _counted(connection.execute(_OWN_STATUSES, {"user_course_id": user_course_id, "topic_id": topic_id}))


def _counted(rows: Iterable[Row[Any]]) -> Counter[ProgressStatus]:
    return Counter({ProgressStatus(row.status): row.lessons for row in rows})


def _states(rows: Iterable[Row[Any]]) -> list[LessonState]:
    return [LessonState(**row._asdict() | {"status": ProgressStatus(row.status)}) for row in rows]
