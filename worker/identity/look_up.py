"""Look names up: those of a batch in one statement, whatever its size, and single ones for the API."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, text

from worker.identity.json_parameter import json_parameter
from worker.identity.names import Names, Numbers

# A lesson without a course counts if it is in exactly one course of its connection. Two rows tell, though thousands of
# courses may have a lesson of that name.
_LOOK_UP = text("""
    WITH course AS MATERIALIZED (
        SELECT coalesce(array_agg(coalesce(known.id, 0) ORDER BY n), '{}') AS ids
        FROM jsonb_array_elements(CAST(:courses AS jsonb)) WITH ORDINALITY AS given (e, n)
        LEFT JOIN external_id AS known
            ON (known.kind, known.source, known.key, known.scope) = ('course', e->>0, e->>1, 0)
    ),
    lesson AS MATERIALIZED (
        SELECT coalesce(array_agg(coalesce(known.scope, 0) ORDER BY n), '{}') AS course_ids,
               coalesce(array_agg(coalesce(known.topic_id, 0) ORDER BY n), '{}') AS topic_ids,
               coalesce(array_agg(coalesce(known.id, 0) ORDER BY n), '{}') AS ids
        FROM course CROSS JOIN jsonb_array_elements(CAST(:lessons AS jsonb)) WITH ORDINALITY AS given (e, n)
        CROSS JOIN LATERAL (SELECT course.ids[nullif((e->>1)::int, 0)] AS course_id) AS its_course
        LEFT JOIN LATERAL (
            SELECT min(scope) AS scope, min(topic_id) AS topic_id, min(id) AS id
            FROM (
                SELECT scope, topic_id, id FROM external_id
                WHERE (kind, source, key) = ('lesson', e->>0, e->>2)
                  AND scope BETWEEN coalesce(course_id, 1) AND coalesce(course_id, 9223372036854775807)
                LIMIT 2
            ) AS its
            HAVING count(*) = 1
        ) AS known ON true
    ),
    learner AS MATERIALIZED (
        SELECT n, coalesce(known.id, 0) AS user_id, coalesce(known.ignored, false) AS ignored,
               coalesce(its.user_course_id, 0) AS user_course_id
        FROM course CROSS JOIN lesson
        CROSS JOIN jsonb_array_elements(CAST(:learners AS jsonb)) WITH ORDINALITY AS given (e, n)
        LEFT JOIN external_id AS known
            ON (known.kind, known.source, known.key, known.scope) = ('user', e->>0, e->>1, 0)
        LEFT JOIN external_enrollment AS its
            ON its.user_id = known.id AND its.course_id = CASE (e->>2)::int
                WHEN 0 THEN lesson.course_ids[(e->>3)::int] ELSE course.ids[(e->>2)::int] END
    )
    SELECT course.ids AS courses, lesson.course_ids AS lesson_courses, lesson.topic_ids AS lesson_topics,
           lesson.ids AS lessons, (SELECT array_agg(user_id ORDER BY n) FROM learner) AS users,
           (SELECT array_agg(n) FROM learner WHERE ignored) AS ignored,
           (SELECT array_agg(user_course_id ORDER BY n) FROM learner) AS enrollments
    FROM course CROSS JOIN lesson
""")

_COURSES = text("""
    SELECT source, key, id FROM external_id
    WHERE kind = 'course' AND (source, key) IN (
        SELECT e->>0, e->>1 FROM jsonb_array_elements(CAST(:names AS jsonb)) AS given (e)
    )
""")


@dataclass(frozen=True, slots=True)
class NamedEnrollmentIds:
    """The numbers of a named enrollment, whose row may not exist yet."""

    user_course_id: int
    user_id: int
    course_id: int


@dataclass(frozen=True, slots=True)
class NamedLessonIds:
    """The numbers of a named lesson."""

    course_id: int
    topic_id: int
    lesson_id: int


def look_up(connection: Connection, names: Names) -> Numbers:
    """Return the numbers of the names. One statement, which locks nothing."""
    parameters = {
        "courses": json_parameter(names.courses),
        "lessons": json_parameter(names.lessons),
        "learners": json_parameter(names.learners),
    }
    row = connection.execute(_LOOK_UP, parameters).one()
    ignored = frozenset(row.ignored or ())
    return Numbers(
        courses=row.courses,
        lessons=list(zip(row.lesson_courses, row.lesson_topics, row.lessons, strict=True)),
        users=row.users or [],
        ignored=[number in ignored for number in range(1, len(names.learners) + 1)],
        enrollments=row.enrollments or [],
    )


def find_courses(connection: Connection, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the ids of those of these (source, course) that the map has."""
    rows = connection.execute(_COURSES, {"names": json_parameter(set(names))})
    return {(source, key): number for source, key, number in rows}


def find_enrollment(connection: Connection, source: str, learner: str, course: str) -> NamedEnrollmentIds | None:
    """Return the ids of a named enrollment, or None if a name is new or no event had both."""
    found = look_up(connection, Names({(source, course): 1}, learners={(source, learner, 1, 0): 1}))
    if not found.enrollments[0]:
        return None
    return NamedEnrollmentIds(found.enrollments[0], found.users[0], found.courses[0])


def find_lesson(connection: Connection, source: str, lesson: str, course: str | None) -> NamedLessonIds | None:
    """Return the ids of a named lesson, or None if it is new; without a course, also if several have it."""
    courses = {} if course is None else {(source, course): 1}
    found = look_up(connection, Names(courses, {(source, len(courses), lesson): 1})).lessons[0]
    return NamedLessonIds(*found) if found[2] else None
