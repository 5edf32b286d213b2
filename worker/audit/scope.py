"""Which enrollments and courses an audit or a rebuild covers."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from worker.errors import InputError

_COUNT = text("SELECT count(*) FROM user_course WHERE CAST(:course_id AS bigint) IS NULL OR course_id = :course_id")

_IS_THERE = text("SELECT EXISTS (SELECT FROM user_course WHERE id = :id)")

_COURSES = text("""
    SELECT course_id FROM user_course UNION SELECT id FROM course UNION SELECT course_id FROM course_statistics
    ORDER BY 1 NULLS FIRST
""")

_PAGE = text("""
    SELECT id FROM user_course
    WHERE id > :after AND (course_id = :course_id OR (CAST(:course_id AS bigint) IS NULL AND course_id IS NULL))
    ORDER BY id LIMIT :limit
""")

_SAMPLE = text("SELECT id FROM (SELECT id FROM user_course ORDER BY random() LIMIT :size) AS chosen ORDER BY id")


@dataclass(frozen=True, slots=True)
class Scope:
    """One enrollment, a random sample, one course, or everything."""

    user_course_id: int | None = None
    sample: int | None = None
    course_id: int | None = None


def count_scope(engine: Engine, scope: Scope) -> int:
    """Return the number of enrollments in the scope. Raises InputError when it names something that does not exist."""
    with engine.connect() as connection:
        if scope.user_course_id is not None:
            if not connection.scalar(_IS_THERE, {"id": scope.user_course_id}):
                raise InputError(f"There is no enrollment {scope.user_course_id}.")
            return 1
        if scope.course_id is not None and scope.course_id not in connection.scalars(_COURSES):
            raise InputError(f"There is no course {scope.course_id}: no enrollment, outline or statistics name it.")
        total = int(connection.scalar(_COUNT, {"course_id": scope.course_id}) or 0)
    return total if scope.sample is None else min(scope.sample, total)


def scoped_courses(engine: Engine, scope: Scope) -> list[int | None] | None:
    """Return the whole courses in the scope, None for enrollments without a course; None if the scope names none."""
    if scope.course_id is not None:
        return [scope.course_id]
    if scope.user_course_id is not None or scope.sample is not None:
        return None
    with engine.connect() as connection:
        return list(connection.scalars(_COURSES))


def scoped_enrollments(engine: Engine, scope: Scope) -> list[int]:
    """Return the single enrollments that the scope names or samples, in order."""
    if scope.user_course_id is not None:
        return [scope.user_course_id]
    with engine.connect() as connection:
        return list(connection.scalars(_SAMPLE, {"size": scope.sample or 0}))


def enrollment_page(connection: Connection, course_id: int | None, after: int, limit: int) -> list[int]:
    """Return up to `limit` enrollments of a course with ids above `after`, in order."""
    return list(connection.scalars(_PAGE, {"course_id": course_id, "after": after, "limit": limit}))
