"""Find the dead letters whose lesson has been named since: by an outline, by `map load`, or by another event."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.contract.entry import Reason
from worker.identity.json_parameter import json_parameter

Awaited = tuple[str, str, int]
"""(source, lesson, course id); the course 0 is any."""
BEFORE_ALL: Awaited = ("", "", 0)

# One index probe per awaited lesson, however many dead letters wait for it.
_ARRIVED = text(f"""
    WITH RECURSIVE awaited (source, key, course_id, number) AS (
        SELECT CAST(:source AS text) COLLATE "C", CAST(:key AS text) COLLATE "C", CAST(:course_id AS bigint), 0
        UNION ALL
        SELECT following.*, awaited.number + 1
        FROM awaited CROSS JOIN LATERAL (
            SELECT lesson_source, lesson_key, lesson_course_id FROM dead_letter
            WHERE reason = '{Reason.UNKNOWN_LESSON}'
              AND (lesson_source, lesson_key, lesson_course_id) > (awaited.source, awaited.key, awaited.course_id)
            ORDER BY 1, 2, 3 LIMIT 1
        ) AS following
        WHERE awaited.number < :limit
    )
    SELECT source, key, course_id, (
        SELECT count(*) FROM (
            SELECT FROM external_id AS known
            WHERE (known.kind, known.source, known.key) = ('lesson', awaited.source, awaited.key)
              AND known.scope BETWEEN greatest(awaited.course_id, 1)
                  AND coalesce(nullif(awaited.course_id, 0), 9223372036854775807)
            LIMIT 2
        ) AS found
    ) = 1 AS has_arrived
    FROM awaited WHERE number > 0 ORDER BY number
""")  # noqa: S608 - constants

_WAITING = text(f"""
    SELECT id FROM dead_letter
    WHERE reason = '{Reason.UNKNOWN_LESSON}' AND id > :after AND (lesson_source, lesson_key, lesson_course_id) IN (
        SELECT e->>0, e->>1, (e->>2)::bigint FROM jsonb_array_elements(CAST(:lessons AS jsonb)) AS given (e)
    )
    ORDER BY id LIMIT :limit
""")  # noqa: S608 - constants


def arrived_lessons(connection: Connection, after: Awaited, limit: int) -> tuple[Awaited | None, list[Awaited]]:
    """Look up the next `limit` awaited lessons after this one; return those that the map has now.

    First comes the last one looked up, after which there may be more, or None.
    """
    source, key, course_id = after
    parameters = {"source": source, "key": key, "course_id": course_id, "limit": limit}
    rows = connection.execute(_ARRIVED, parameters).all()
    return (tuple(rows[-1][:3]) if len(rows) == limit else None), [tuple(row[:3]) for row in rows if row.has_arrived]


def waiting_for_lessons(connection: Connection, lessons: Sequence[Awaited], after: int, limit: int) -> list[int]:
    """Return up to `limit` ids above `after` of dead letters that wait for these lessons, in order."""
    parameters = {"lessons": json_parameter(lessons), "after": after, "limit": limit}
    return list(connection.scalars(_WAITING, parameters))
