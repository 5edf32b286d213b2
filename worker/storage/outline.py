"""Outlines: a course's live lessons in order. The latest `course.outlined` by (time, event id) is the live one."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from worker.domain.event import CourseOutlined
from worker.domain.outline import Lesson
from worker.domain.progress import keep_latest
from worker.storage.database import is_lock_timeout

OUTLINES_LOCK = 7_305_112_020
"""Advisory lock of the transaction: shared while summaries are made from outlines, exclusive while one changes."""

# Whoever asks holds no row yet, so nobody waits for the asker, and this may take longer than a wait for a row.
_HOLD = text("SELECT set_config('lock_timeout', '1s', true), pg_advisory_xact_lock_shared(:key)")

_LOCK = text("SELECT set_config('lock_timeout', '1s', true), pg_advisory_xact_lock(:key)")

_AS_BEFORE = text("SET LOCAL lock_timeout TO DEFAULT")

_OUTLINE = text("""
    WITH outlined AS (
        INSERT INTO course AS known (id, outlined_at, outline_event_id, stale_since)
        SELECT (e->>0)::bigint, (e->>1)::timestamptz, (e->>2)::uuid, now()
        FROM jsonb_array_elements(CAST(:outlines AS jsonb)) AS given (e)
        ORDER BY 1
        ON CONFLICT (id) DO UPDATE
        SET outlined_at = excluded.outlined_at, outline_event_id = excluded.outline_event_id,
            version = known.version + 1, stale_since = coalesce(known.stale_since, now())
        WHERE (excluded.outlined_at, excluded.outline_event_id) > (known.outlined_at, known.outline_event_id)
        RETURNING id
    ),
    marked AS (
        INSERT INTO course_change (course_id) SELECT id FROM outlined
    )
    SELECT id FROM outlined
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


_READ = text("""
    SELECT id, version, outlined_at,
           (SELECT jsonb_agg(jsonb_build_array(topic_id, lesson_id, title) ORDER BY ordinal)
            FROM course_lesson WHERE course_id = course.id) AS lessons
    FROM course WHERE id = ANY(CAST(:course_ids AS bigint[]))
""")


class OutlinesHeldError(OperationalError):
    """Summaries are being made from the outlines as they are."""


@dataclass(frozen=True, slots=True)
class StoredOutline:
    """The live outline of a course: its lessons in order, with their titles."""

    course_id: int
    version: int
    outlined_at: datetime
    titles: dict[Lesson, str | None]

    @property
    def lessons(self) -> list[Lesson]:
        """The lessons in order."""
        return list(self.titles)


def read_outlines(connection: Connection, course_ids: Collection[int | None]) -> dict[int | None, StoredOutline]:
    """The outlines of those of these courses that have one, an empty one included."""
    wanted = [course_id for course_id in course_ids if course_id is not None]
    return {
        row.id: StoredOutline(
            row.id,
            row.version,
            row.outlined_at,
            {(topic, lesson): title for topic, lesson, title in row.lessons or ()},
        )
        for row in connection.execute(_READ, {"course_ids": wanted})
    }


def hold_outlines(connection: Connection) -> None:
    """Keep every outline as it is until the transaction ends; others may do so at the same time.

    To be asked before the transaction locks any row.
    """
    connection.execute(_HOLD, {"key": OUTLINES_LOCK})
    connection.execute(_AS_BEFORE)


def replace_outlines(connection: Connection, events: Sequence[CourseOutlined]) -> list[int]:
    """Make each course's latest outline the live one, if it is later than the one stored; the courses it changed.

    No enrolment is written: their summaries are stale by the course's version, and so only the course is marked.

    To be called before the transaction locks any row. Two statements after the lock: the first locks the courses in id
    order, the second sees what a former holder left. Raises OutlinesHeldError.
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
    try:
        connection.execute(_LOCK, {"key": OUTLINES_LOCK})
    except OperationalError as error:
        if is_lock_timeout(error):
            raise OutlinesHeldError(error.statement, error.params, error.orig or error) from error
        raise
    connection.execute(_AS_BEFORE)
    course_ids = list(connection.scalars(_OUTLINE, {"outlines": outlines}))
    connection.execute(_REPLACE_LESSONS, {"outlines": outlines, "course_ids": course_ids})
    return course_ids
