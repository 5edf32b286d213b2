"""The enrollments of a course, of a user, or all, page by page, each with its summary."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Engine, Row, text

from worker.database.engine import snapshot
from worker.errors import InputError
from worker.summary.read import MAX_SUMMARIES, TitledSummary, read_summaries, refreshed

PAGE = 50
"""Default number of enrollments on a page."""

_ALL = text("SELECT id, user_id, course_id FROM user_course WHERE id > :after ORDER BY id LIMIT :limit")

_OF_USER = text("""
    SELECT id, user_id, course_id FROM user_course
    WHERE user_id = :user_id AND id > :after
      AND (CAST(:courses AS bigint[]) IS NULL OR course_id = ANY(CAST(:courses AS bigint[])))
    ORDER BY id LIMIT :limit
""")

# One range of the index per course, each up to the page's size.
_OF_COURSES = text("""
    SELECT page.* FROM unnest(CAST(:courses AS bigint[])) AS wanted (course)
    CROSS JOIN LATERAL (
        SELECT id, user_id, course_id FROM user_course
        WHERE course_id = wanted.course AND id > :after ORDER BY id LIMIT :limit
    ) AS page
    ORDER BY id LIMIT :limit
""")


class EnrollmentFilter(TypedDict, total=False):
    """Those of a course, of a user, of both, or all; only those of `courses`, unless None."""

    course_id: int | None
    user_id: int | None
    courses: Collection[int] | None
    after: int
    """Only higher ids."""
    limit: int
    """Maximum number of enrollments, by default 50."""


@dataclass(frozen=True, slots=True)
class ListedEnrollment:
    """An enrollment with its user, its course and its summary, which is current."""

    user_id: int | None
    course_id: int | None
    progress: TitledSummary


@dataclass(frozen=True, slots=True)
class EnrollmentPage:
    """Some enrollments by id; `next_after` is the `after` of the next page, None on the last."""

    enrollments: list[ListedEnrollment]
    next_after: int | None


def as_mapping(listed: ListedEnrollment) -> dict[str, Any]:
    """Return the enrollment as plain members: its user, its course, and those of its summary."""
    members = asdict(refreshed(listed.progress))
    user_course_id = members.pop("user_course_id")
    return {
        "user_course_id": user_course_id,
        "user_id": listed.user_id,
        "course_id": listed.course_id,
        **members,
    }


def list_enrollments(engine: Engine, **wanted: Unpack[EnrollmentFilter]) -> EnrollmentPage:
    """Return a page of the enrollments wanted, by id.

    Two queries in one snapshot, four if any summary is stale. Raises InputError for a limit outside 1…200.
    """
    courses, course_id, limit = wanted.get("courses"), wanted.get("course_id"), wanted.get("limit", PAGE)
    if not 1 <= limit <= MAX_SUMMARIES:
        raise InputError(f"The page size is {limit}; it must be between 1 and {MAX_SUMMARIES}.")
    if course_id is not None:
        courses = {course_id} if courses is None else {course_id}.intersection(courses)
    with snapshot(engine) as connection:
        rows = _rows(connection, wanted.get("user_id"), courses, wanted.get("after", 0), limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        summaries = {each.summary.user_course_id: each for each in read_summaries(connection, [row.id for row in rows])}
    enrollments = [ListedEnrollment(row.user_id, row.course_id, summaries[row.id]) for row in rows]
    return EnrollmentPage(enrollments, rows[-1].id if more else None)


def _rows(
    connection: Connection, user_id: int | None, courses: Collection[int] | None, after: int, limit: int
) -> Sequence[Row[Any]]:
    statement = _OF_USER if user_id is not None else _ALL if courses is None else _OF_COURSES
    only = None if courses is None else sorted(courses)
    return connection.execute(statement, {"user_id": user_id, "courses": only, "after": after, "limit": limit}).all()
