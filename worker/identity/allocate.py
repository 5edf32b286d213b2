"""Give numbers to new names: users and courses, then topics and lessons, then enrollments.

Each statement inserts in the order of the key and skips what another session has just named, so that no two sessions
wait for each other in a circle, and a name that two give at once has one number.
"""

from collections.abc import Callable

from sqlalchemy import Connection, text

from worker.contract.connection import Connection as Policy
from worker.identity.json_parameter import json_parameter
from worker.identity.look_up import look_up
from worker.identity.names import Names, Numbers

NO_TOPIC = ""
"""The key of the topic of lessons that are named without one."""
WAIT_SECONDS = 0.3
"""How long to wait for other sessions that name the same. The rest of the batch waits meanwhile."""

_LIMIT_WAIT = text("SELECT set_config('lock_timeout', :milliseconds, true)")

_USERS_AND_COURSES = text("""
    INSERT INTO external_id (kind, source, key, id)
    SELECT e->>0, e->>1, e->>2, nextval('external_id_seq')
    FROM jsonb_array_elements(CAST(:names AS jsonb)) AS given (e)
    ORDER BY (e->>0) COLLATE "C", (e->>1) COLLATE "C", (e->>2) COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING kind, source, key, id
""")

_TOPICS = text("""
    INSERT INTO external_id (kind, source, key, scope, id)
    SELECT 'topic', e->>0, e->>1, (e->>2)::bigint, nextval('external_lesson_id_seq')
    FROM jsonb_array_elements(CAST(:names AS jsonb)) AS given (e)
    WHERE NOT EXISTS (
        SELECT FROM external_id AS known
        WHERE (known.kind, known.source, known.key, known.scope) = ('topic', e->>0, e->>1, (e->>2)::bigint)
    )
    ORDER BY (e->>0) COLLATE "C", (e->>1) COLLATE "C", (e->>2)::bigint
    ON CONFLICT DO NOTHING
""")

_LESSONS = text("""
    INSERT INTO external_id (kind, source, key, scope, topic_id, id)
    SELECT 'lesson', e->>0, e->>1, (e->>2)::bigint, topic.id, nextval('external_lesson_id_seq')
    FROM jsonb_array_elements(CAST(:names AS jsonb)) AS given (e)
    JOIN external_id AS topic
        ON (topic.kind, topic.source, topic.key, topic.scope) = ('topic', e->>0, e->>3, (e->>2)::bigint)
    ORDER BY (e->>0) COLLATE "C", (e->>1) COLLATE "C", (e->>2)::bigint
    ON CONFLICT DO NOTHING
    RETURNING source, key, scope, topic_id, id
""")

# An LMS whose table `user_course` is may have made the enrollment; with `ids = refuse` it must have.
_ENROLLMENTS = text("""
    INSERT INTO external_enrollment (user_id, course_id, user_course_id)
    SELECT user_id, course_id, coalesce(known.id, nextval('external_id_seq'))
    FROM (
        SELECT (e->>0)::bigint AS user_id, (e->>1)::bigint AS course_id, (e->>2)::boolean AS may_allocate
        FROM jsonb_array_elements(CAST(:enrollments AS jsonb)) AS given (e)
    ) AS wanted
    LEFT JOIN LATERAL (
        SELECT min(id) AS id FROM user_course
        WHERE (user_course.user_id, user_course.course_id) = (wanted.user_id, wanted.course_id)
    ) AS known ON true
    WHERE may_allocate OR known.id IS NOT NULL
    ORDER BY user_id, course_id
    ON CONFLICT DO NOTHING
    RETURNING user_id, course_id, user_course_id
""")

# An LMS may have given an enrollment to another user, or moved it to another course: it is no longer that of the names.
_FORGET_MOVED = text("""
    DELETE FROM external_enrollment AS stale
    USING user_course, jsonb_array_elements(CAST(:enrollments AS jsonb)) AS wanted (e)
    WHERE (user_course.user_id, user_course.course_id) = ((e->>0)::bigint, (e->>1)::bigint)
      AND stale.user_course_id = user_course.id
      AND (stale.user_id, stale.course_id) <> (user_course.user_id, user_course.course_id)
""")


def allocate(connection: Connection, names: Names, numbers: Numbers, policy: Callable[[str], Policy]) -> Numbers:
    """Give numbers to the names that have none and may get one; return the numbers of all.

    In the caller's transaction, which should hold no other locks and end soon. At most eight statements.
    """
    connection.execute(_LIMIT_WAIT, {"milliseconds": str(int(WAIT_SECONDS * 1000))})
    for complete in (_name_users_and_courses, _name_lessons, _name_enrollments):
        if not complete(connection, names, numbers, policy):
            numbers = look_up(connection, names)
    return numbers


def _name_users_and_courses(
    connection: Connection, names: Names, numbers: Numbers, policy: Callable[[str], Policy]
) -> bool:
    """Return whether `numbers` is complete; else another session was faster with some."""
    new: set[tuple[str, str, str]] = set()
    for (source, course), number in zip(names.courses, numbers.courses, strict=True):
        if not number and policy(source).ids == "allocate":
            new.add(("course", source, course))
    for (source, learner, *_), number in zip(names.learners, numbers.users, strict=True):
        if not number and policy(source).ids == "allocate":
            new.add(("user", source, learner))
    if not new:
        return True
    rows = connection.execute(_USERS_AND_COURSES, {"names": json_parameter(new)})
    made = {(kind, source, key): number for kind, source, key, number in rows}
    numbers.courses = [
        number or made.get(("course", *name), 0) for name, number in zip(names.courses, numbers.courses, strict=True)
    ]
    numbers.users = [
        number or made.get(("user", source, learner), 0)
        for (source, learner, *_), number in zip(names.learners, numbers.users, strict=True)
    ]
    return len(made) == len(new)


def _name_lessons(connection: Connection, names: Names, numbers: Numbers, policy: Callable[[str], Policy]) -> bool:
    new: dict[tuple[str, str, int], str] = {}
    for (source, course, lesson), place in names.lessons.items():
        course_id = numbers.courses[course - 1] if course else 0
        its = policy(source)
        if course_id and not numbers.lessons[place - 1][2] and (its.ids, its.lessons) == ("allocate", "create"):
            new[source, lesson, course_id] = names.topics[place - 1] or NO_TOPIC
    made = name_lessons(connection, new)
    without_course = False
    for (source, course, lesson), place in names.lessons.items():
        if course and (found := made.get((source, lesson, numbers.courses[course - 1]))):
            numbers.lessons[place - 1] = (numbers.courses[course - 1], *found)
        without_course |= not course
    return len(made) == len(new) and not (made and without_course)


def name_lessons(
    connection: Connection, new: dict[tuple[str, str, int], str]
) -> dict[tuple[str, str, int], tuple[int, int]]:
    """Name lessons, given as (source, lesson, course_id) with their topic's name; return (topic_id, lesson_id).

    Those that another session named first are missing in the result.
    """
    if not new:
        return {}
    topics = {(source, topic, course_id) for (source, _, course_id), topic in new.items()}
    connection.execute(_TOPICS, {"names": json_parameter(topics)})
    rows = connection.execute(_LESSONS, {"names": json_parameter([(*lesson, topic) for lesson, topic in new.items()])})
    return {(row.source, row.key, row.scope): (row.topic_id, row.id) for row in rows}


def _name_enrollments(connection: Connection, names: Names, numbers: Numbers, policy: Callable[[str], Policy]) -> bool:
    wanted: dict[tuple[int, int], bool] = {}
    keys: list[tuple[int, int]] = []
    for (source, _, course, lesson), place in names.learners.items():
        course_id = numbers.courses[course - 1] if course else numbers.lessons[lesson - 1][0]
        key = (numbers.users[place - 1], course_id)
        keys.append(key)
        if all(key) and not numbers.enrollments[place - 1] and not numbers.ignored[place - 1]:
            wanted[key] = policy(source).ids == "allocate"
    if not wanted:
        return True
    made = _insert_enrollments(connection, wanted)
    if missing := {key: may for key, may in wanted.items() if key not in made}:
        connection.execute(_FORGET_MOVED, {"enrollments": json_parameter(missing)})
        made |= _insert_enrollments(connection, missing)
    numbers.enrollments = [number or made.get(key, 0) for key, number in zip(keys, numbers.enrollments, strict=True)]
    return len(made) == len(wanted)


def _insert_enrollments(connection: Connection, wanted: dict[tuple[int, int], bool]) -> dict[tuple[int, int], int]:
    rows = connection.execute(
        _ENROLLMENTS, {"enrollments": json_parameter([(*key, may) for key, may in wanted.items()])}
    )
    return {(user_id, course_id): number for user_id, course_id, number in rows}
