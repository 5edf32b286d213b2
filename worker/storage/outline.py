"""Outlines: a course's live lessons in order. The latest `course.outlined` by (time, event id) is the live one."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.domain.event import CourseOutlined
from worker.domain.progress import keep_latest

_REPLACE = text("""
    WITH outline AS (
        SELECT (e->>0)::bigint AS course_id, (e->>1)::timestamptz AS outlined_at, (e->>2)::uuid AS event_id,
               e->3 AS lessons
        FROM jsonb_array_elements(CAST(:outlines AS jsonb)) AS given (e)
    ),
    effective AS (
        INSERT INTO course AS known (id, outlined_at, outline_event_id)
        SELECT course_id, outlined_at, event_id FROM outline ORDER BY course_id
        ON CONFLICT (id) DO UPDATE
        SET outlined_at = excluded.outlined_at, outline_event_id = excluded.outline_event_id,
            version = known.version + 1
        WHERE (excluded.outlined_at, excluded.outline_event_id) > (known.outlined_at, known.outline_event_id)
        RETURNING id
    ),
    lesson AS (
        SELECT outline.course_id, (l->>0)::int AS topic_id, (l->>1)::int AS lesson_id, l->>2 AS title, ordinal
        FROM outline JOIN effective ON effective.id = outline.course_id
        CROSS JOIN jsonb_array_elements(outline.lessons) WITH ORDINALITY AS given (l, ordinal)
    ),
    removed AS (
        DELETE FROM course_lesson AS known USING effective
        WHERE known.course_id = effective.id AND NOT EXISTS (
            SELECT FROM lesson
            WHERE (lesson.course_id, lesson.topic_id, lesson.lesson_id)
                = (known.course_id, known.topic_id, known.lesson_id)
        )
    ),
    kept AS (
        INSERT INTO course_lesson AS known (course_id, topic_id, lesson_id, ordinal, title)
        SELECT course_id, topic_id, lesson_id, ordinal, title FROM lesson
        ON CONFLICT (course_id, topic_id, lesson_id) DO UPDATE SET ordinal = excluded.ordinal, title = excluded.title
        WHERE (known.ordinal, known.title) IS DISTINCT FROM (excluded.ordinal, excluded.title)
    )
    SELECT count(*) FROM effective
""")


def replace_outlines(connection: Connection, events: Sequence[CourseOutlined]) -> int:
    """Make each course's latest outline the live one, if it is later than the one stored; how many took effect."""
    latest: dict[int, CourseOutlined] = {}
    for event in events:
        keep_latest(latest, event.data.course_id, event)
    outlines = [
        (
            event.data.course_id,
            event.time.isoformat(),
            event.event_id,
            [(lesson.topic_id, lesson.lesson_id, lesson.title) for lesson in event.data.lessons],
        )
        for event in latest.values()
    ]
    return int(connection.scalar(_REPLACE, {"outlines": json.dumps(outlines)}) or 0)
