"""Find enrollments by the names of their learner and course, and the names of an enrollment."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, text

# An LMS whose table `user_course` is has enrollments that no event has named yet.
_OF_LEARNER = text("""
    WITH learner AS MATERIALIZED (
        SELECT source, key, id FROM external_id
        WHERE kind = 'user' AND source = ANY(CAST(:sources AS text[])) AND key = ANY(CAST(:learners AS text[]))
    ),
    enrollment AS (
        SELECT user_id, course_id, user_course_id FROM external_enrollment
        WHERE user_id IN (SELECT id FROM learner)
        UNION
        SELECT user_id, course_id, id FROM user_course WHERE user_id IN (SELECT id FROM learner)
    )
    SELECT learner.source, learner.key AS learner, course.key AS course, enrollment.*,
           EXISTS (SELECT FROM user_course WHERE id = user_course_id) AS enrolled
    FROM learner JOIN enrollment ON enrollment.user_id = learner.id
    LEFT JOIN external_id AS course
        ON course.kind = 'course' AND course.id = enrollment.course_id AND course.source = learner.source
    WHERE CAST(:course AS text) IS NULL OR course.key = :course
    ORDER BY user_course_id, learner.source, learner.key, course.key
    LIMIT :limit
""")

_OF_NUMBER = text("""
    WITH enrollment AS (
        SELECT user_id, course_id, user_course_id FROM external_enrollment WHERE user_course_id = :id
        UNION
        SELECT user_id, course_id, id FROM user_course WHERE id = :id
    )
    SELECT coalesce(learner.source, course.source) AS source, learner.key AS learner, course.key AS course,
           enrollment.*, EXISTS (SELECT FROM user_course WHERE id = :id) AS enrolled
    FROM enrollment
    LEFT JOIN external_id AS learner ON learner.kind = 'user' AND learner.id = enrollment.user_id
    LEFT JOIN external_id AS course
        ON course.kind = 'course' AND course.id = enrollment.course_id
       AND course.source = coalesce(learner.source, course.source)
    ORDER BY 1, 2, 3
    LIMIT :limit
""")

# One index probe a connection, however many names it has.
_SOURCES = text("""
    WITH RECURSIVE found (source) AS (
        SELECT min(source) FROM external_id WHERE kind = :kind
        UNION ALL
        SELECT (SELECT min(source) FROM external_id WHERE kind = :kind AND source > found.source)
        FROM found WHERE found.source IS NOT NULL
    )
    SELECT source FROM found WHERE source IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class NamedEnrollment:
    """An enrollment under one name of its learner and one of its course; one without names has None."""

    source: str | None
    learner: str | None
    course: str | None
    user_course_id: int
    user_id: int
    course_id: int
    enrolled: bool
    """Whether `user_course` has the row: else no event has enrolled the learner yet, or the row was deleted."""


def list_sources(connection: Connection, kind: str) -> list[str]:
    """Return the connections that have names of this kind."""
    return list(connection.scalars(_SOURCES, {"kind": kind}))


def enrollments_of_learner(
    connection: Connection, learners: list[str], *, source: str | None, course: str | None, limit: int
) -> list[NamedEnrollment]:
    """Return up to `limit` enrollments of a learner, known by any of these names, in order of number.

    Of all connections unless one is given; all courses, or the one with this name.
    """
    parameters = {
        "learners": learners,
        "sources": list_sources(connection, "user") if source is None else [source],
        "course": course,
        "limit": limit,
    }
    return [_named(row) for row in connection.execute(_OF_LEARNER, parameters)]


def enrollment_names(connection: Connection, user_course_id: int, limit: int) -> list[NamedEnrollment]:
    """Return the enrollment under up to `limit` of its names; none if there is no such enrollment."""
    return [_named(row) for row in connection.execute(_OF_NUMBER, {"id": user_course_id, "limit": limit})]


def _named(row: Row[tuple[object, ...]]) -> NamedEnrollment:
    return NamedEnrollment(
        row.source, row.learner, row.course, row.user_course_id, row.user_id, row.course_id, row.enrolled
    )
