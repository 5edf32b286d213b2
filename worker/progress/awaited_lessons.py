"""Find the dead letters whose lesson has been named since: by an outline, by `map load`, or by another event."""

from sqlalchemy import Connection, text

from worker.contract.entry import Reason

# One index probe per awaited lesson, however many dead letters wait for it.
_ARRIVED = text(f"""
    WITH RECURSIVE awaited (source, key, course_id) AS (
        (SELECT lesson_source, lesson_key, lesson_course_id FROM dead_letter
         WHERE reason = '{Reason.UNKNOWN_LESSON}' ORDER BY 1, 2, 3 LIMIT 1)
        UNION ALL
        SELECT following.*
        FROM awaited CROSS JOIN LATERAL (
            SELECT lesson_source, lesson_key, lesson_course_id FROM dead_letter
            WHERE reason = '{Reason.UNKNOWN_LESSON}'
              AND (lesson_source, lesson_key, lesson_course_id) > (awaited.source, awaited.key, awaited.course_id)
            ORDER BY 1, 2, 3 LIMIT 1
        ) AS following
    ),
    arrived AS MATERIALIZED (
        SELECT * FROM awaited
        WHERE (
            SELECT count(*) FROM (
                SELECT FROM external_id AS known
                WHERE (known.kind, known.source, known.key) = ('lesson', awaited.source, awaited.key)
                  AND known.scope BETWEEN greatest(awaited.course_id, 1)
                      AND coalesce(nullif(awaited.course_id, 0), 9223372036854775807)
                LIMIT 2
            ) AS found
        ) = 1
    )
    SELECT dead_letter.id
    FROM arrived JOIN dead_letter
        ON (lesson_source, lesson_key, lesson_course_id) = (arrived.source, arrived.key, arrived.course_id)
    WHERE reason = '{Reason.UNKNOWN_LESSON}' AND dead_letter.id > :after
    ORDER BY dead_letter.id LIMIT :limit
""")  # noqa: S608 - constants


def arrived_lessons(connection: Connection, after: int, limit: int) -> list[int]:
    """Return up to `limit` ids above `after` of dead letters whose lesson the map has now, in order."""
    return list(connection.scalars(_ARRIVED, {"after": after, "limit": limit}))
