"""Find events that differ from the recorded event of the same identity."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from worker.contract.event import LedgerEvent
from worker.contract.fast_path import DecodedLessonEvent
from worker.database.models.external import FIRST_NUMBER
from worker.progress.record import rows

_CONTENT = """
    occurred_at, type, topic_id, lesson_id, section_id, duration_seconds, corrected_status, corrected_last_viewed_at,
    corrected_completed_at, sequence
"""

# A lesson that an outline renamed since has no name left: the event says another number of the same lesson.
_CONFLICTS = text(f"""
    SELECT number
    FROM jsonb_array_elements(CAST(:events AS jsonb)) WITH ORDINALITY AS given (e, number)
    JOIN LATERAL (
        SELECT {_CONTENT} FROM lesson_event WHERE (user_course_id, event_id) = ((e->>0)::bigint, (e->>1)::uuid)
        UNION ALL
        SELECT {_CONTENT} FROM voided_event WHERE (user_course_id, event_id) = ((e->>0)::bigint, (e->>1)::uuid)
    ) AS known ON true
    CROSS JOIN LATERAL (
        SELECT lesson_id >= {FIRST_NUMBER}
               AND NOT EXISTS (SELECT FROM external_id WHERE (kind, id) = ('lesson', lesson_id)) AS is_renamed
    ) AS lesson
    WHERE (occurred_at, sequence, type, topic_id, lesson_id, section_id, duration_seconds,
           corrected_status, corrected_last_viewed_at, corrected_completed_at)
        IS DISTINCT FROM (CASE WHEN (e->>12)::boolean THEN occurred_at ELSE (e->>2)::timestamptz END,
           coalesce(e->>8, ''), (e->>3)::lesson_event_type,
           CASE WHEN is_renamed THEN topic_id ELSE (e->>4)::int END,
           CASE WHEN is_renamed THEN lesson_id ELSE (e->>5)::int END, (e->>6)::int, (e->>7)::int,
           (e->>9)::progress_status, (e->>10)::timestamptz, (e->>11)::timestamptz)
""")  # noqa: S608 - constants


def identity_conflicts(connection: Connection, events: Sequence[LedgerEvent | DecodedLessonEvent]) -> list[int]:
    """Return the indexes of those of these recorded events that differ from the first of their identity."""
    return [number - 1 for number in connection.scalars(_CONFLICTS, {"events": rows(events)})]
