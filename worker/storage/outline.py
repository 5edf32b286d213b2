"""Outlines: a course's live lessons in order. The latest `course.outlined` by (time, event id) is the live one."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.domain.event import CourseOutlined
from worker.domain.progress import keep_latest

_OUTLINE = text("""
    INSERT INTO course AS known (id, outlined_at, outline_event_id)
    SELECT (e->>0)::bigint, (e->>1)::timestamptz, (e->>2)::uuid
    FROM jsonb_array_elements(CAST(:outlines AS jsonb)) AS given (e)
    ORDER BY 1
    ON CONFLICT (id) DO UPDATE
    SET outlined_at = excluded.outlined_at, outline_event_id = excluded.outline_event_id, version = known.version + 1
    WHERE (excluded.outlined_at, excluded.outline_event_id) > (known.outlined_at, known.outline_event_id)
    RETURNING id
""")

_REPLACE_LESSONS = text("""
    WITH lesson AS (
        SELECT (e->>0)::bigint AS course_id, (l->>0)::int AS topic_id, (l->>1)::int AS lesson_id, l->>2 AS title,
               ordinal
        FROM jsonb_array_elements(CAST(:outlines AS jsonb)) AS given (e)
        CROSS JOIN jsonb_array_elements(e->3) WITH ORDINALITY AS lessons (l, ordinal)
        WHERE (e->>0)::bigint = ANY(CAST(:course_ids AS bigint[]))
    ),
    removed AS (
        DELETE FROM course_lesson AS known
        WHERE known.course_id = ANY(CAST(:course_ids AS bigint[])) AND NOT EXISTS (
            SELECT FROM lesson
            WHERE (lesson.course_id, lesson.topic_id, lesson.lesson_id)
                = (known.course_id, known.topic_id, known.lesson_id)
        )
    )
    INSERT INTO course_lesson AS known (course_id, topic_id, lesson_id, ordinal, title)
    SELECT course_id, topic_id, lesson_id, ordinal, title FROM lesson
    ON CONFLICT (course_id, topic_id, lesson_id) DO UPDATE SET ordinal = excluded.ordinal, title = excluded.title
    WHERE (known.ordinal, known.title) IS DISTINCT FROM (excluded.ordinal, excluded.title)
""")


def replace_outlines(connection: Connection, events: Sequence[CourseOutlined]) -> list[int]:
    """Make each course's latest outline the live one, if it is later than the one stored; the courses it changed.

    Two statements: the first locks the courses in id order, the second sees what the former holder of a lock left.
    """
    latest: dict[int, CourseOutlined] = {}
    for event in events:
        keep_latest(latest, event.data.course_id, event)
    outlines = json.dumps(
        [
            (
                event.data.course_id,
                event.time.isoformat(),
                event.event_id,
                [(lesson.topic_id, lesson.lesson_id, lesson.title) for lesson in event.data.lessons],
            )
            for event in latest.values()
        ]
    )
    course_ids = list(connection.scalars(_OUTLINE, {"outlines": outlines}))
    connection.execute(_REPLACE_LESSONS, {"outlines": outlines, "course_ids": course_ids})
    return course_ids
