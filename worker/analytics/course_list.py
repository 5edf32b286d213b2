"""All courses, page by page, with the lessons of their outlines and their stored statistics.

A page costs a few index look-ups per course, and one per mark of any course, whatever the number of enrollments.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Engine, text

from worker.analytics.freshness import complete_until
from worker.analytics.rules.completion_statistics import Statistics
from worker.errors import InputError

PAGE = 50
"""Default number of courses on a page."""

MAX_COURSES = 1_000
"""Maximum number of courses on a page."""

# From one course to the next in the index: reading only the distinct values would read every enrollment.
_ENROLLED = """
    WITH RECURSIVE enrolled (id) AS (
        SELECT min(course_id) FROM user_course WHERE course_id > :after
        UNION ALL
        SELECT (SELECT min(course_id) FROM user_course WHERE course_id > enrolled.id)
        FROM enrolled WHERE enrolled.id IS NOT NULL
    ),
    page AS (
        (SELECT id FROM enrolled WHERE id IS NOT NULL LIMIT :limit)
        UNION
        (SELECT id FROM course WHERE id > :after ORDER BY id LIMIT :limit)
        ORDER BY id LIMIT :limit
    )
"""

_ALLOWED = """
    WITH page AS (
        SELECT id FROM unnest(CAST(:courses AS bigint[])) AS allowed (id)
        WHERE id > :after AND (EXISTS (SELECT FROM user_course WHERE course_id = allowed.id)
                               OR EXISTS (SELECT FROM course WHERE course.id = allowed.id))
        ORDER BY id LIMIT :limit
    )
"""

# The marks of `freshness`, those of all courses at once: there is no index of an enrollment's mark by its course.
_FIGURES = """
    , mark (course_id, changed_at) AS (
        SELECT course_id, changed_at FROM course_change
        UNION ALL
        SELECT course_id, stale_since FROM user_course WHERE stale_since IS NOT NULL
        UNION ALL
        SELECT (SELECT course_id FROM user_course WHERE id = user_course_id), changed_at FROM activity_change
        UNION ALL
        SELECT (SELECT course_id FROM user_course WHERE id = user_course_id), changed_at FROM enrollment_change
        UNION ALL
        SELECT id, stale_since FROM course WHERE stale_since IS NOT NULL AND EXISTS (
            SELECT FROM user_course_summary WHERE course_id = course.id AND outline_version < course.version
        )
    ),
    oldest AS MATERIALIZED (SELECT course_id, min(changed_at) AS change_at FROM mark GROUP BY course_id)
    SELECT page.id, course.id IS NOT NULL AS has_outline,
           (SELECT count(*) FROM course_lesson WHERE course_id = page.id) AS lessons, statistics.*,
           statistics.as_of AS computed_at, oldest.change_at AS oldest_change_at, now() AS read_at
    FROM page
    LEFT JOIN course ON course.id = page.id
    LEFT JOIN course_statistics AS statistics ON statistics.course_id = page.id
    LEFT JOIN oldest ON oldest.course_id = page.id
    ORDER BY page.id
"""

_MEMBERS = [member.name for member in fields(Statistics)]

_LIST = {False: text(f"{_ENROLLED} {_FIGURES}"), True: text(f"{_ALLOWED} {_FIGURES}")}
"""By whether only some courses are allowed."""


@dataclass(frozen=True, slots=True)
class ListedCourse:
    """A course with an enrollment or an outline.

    The statistics were exact at `computed_at`, and include everything recorded before `as_of`; all None until then.
    """

    course_id: int
    total_lessons: int | None
    """Lessons of the outline; None without one."""
    statistics: Statistics | None
    computed_at: datetime | None
    as_of: datetime | None
    has_pending: bool
    """Whether enrollments have changes that are not included yet."""


@dataclass(frozen=True, slots=True)
class CoursePage:
    """Some courses by id; `next_after` is the `after` of the next page, None on the last."""

    courses: list[ListedCourse]
    next_after: int | None


def list_courses(
    engine: Engine, *, courses: Collection[int] | None = None, after: int = 0, limit: int = PAGE
) -> CoursePage:
    """Return up to `limit` courses with an id above `after`, only those of `courses` if given. One query.

    Raises InputError for a limit outside 1…1,000.
    """
    if not 1 <= limit <= MAX_COURSES:
        raise InputError(f"The page size is {limit}; it must be between 1 and {MAX_COURSES:,}.")
    allowed = None if courses is None else sorted(courses)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        rows = connection.execute(
            _LIST[allowed is not None], {"courses": allowed, "after": after, "limit": limit + 1}
        ).all()
    found = [
        ListedCourse(
            row.id,
            row.lessons if row.has_outline else None,
            Statistics(*(getattr(row, name) for name in _MEMBERS)) if row.computed_at else None,
            row.computed_at,
            complete_until(row),
            row.oldest_change_at is not None,
        )
        for row in rows[:limit]
    ]
    return CoursePage(found, found[-1].course_id if len(rows) > limit else None)
