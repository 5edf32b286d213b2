"""Write repaired progress rows and positions."""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, text

from worker.audit.expected import position_columns
from worker.contract.lesson import LessonKey
from worker.progress.reference import Position, Progress, Section

_WRITE_PROGRESS = text("""
    INSERT INTO user_course_progress AS known (
        user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at, corrected_at,
        section_id, section_at, section_sequence, section_type, section_event_id
    )
    SELECT (e->>0)::bigint, (e->>1)::int, (e->>2)::int, (e->>3)::progress_status, (e->>4)::timestamptz,
           (e->>5)::timestamptz, (e->>6)::timestamptz,
           (e->>7)::int, (e->>8)::timestamptz, e->>9, (e->>10)::lesson_event_type, (e->>11)::uuid
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS given (e)
    ON CONFLICT (user_course_id, topic_id, lesson_id) DO UPDATE
    SET status = excluded.status, last_viewed_at = excluded.last_viewed_at, completed_at = excluded.completed_at,
        corrected_at = excluded.corrected_at, section_id = excluded.section_id, section_at = excluded.section_at,
        section_sequence = excluded.section_sequence, section_type = excluded.section_type,
        section_event_id = excluded.section_event_id, updated_at = statement_timestamp()
""")

_WRITE_POSITIONS = text("""
    UPDATE user_course
    SET current_topic = (e->>1)::int, current_lesson = (e->>2)::int, current_section = (e->>3)::int,
        position_at = (e->>4)::timestamptz, position_sequence = e->>5, position_type = (e->>6)::lesson_event_type,
        position_event_id = (e->>7)::uuid, position_tied = (e->>8)::boolean, updated_at = statement_timestamp()
    FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS given (e)
    WHERE id = (e->>0)::bigint
""")


def write_progress(connection: Connection, rows: Mapping[LessonKey, Progress]) -> None:
    """Insert or overwrite these rows. Their enrollments must be locked."""
    values = [
        (
            *(*key, row.status, _iso(row.last_viewed_at), _iso(row.completed_at), _iso(row.corrected_at)),
            *_section_columns(row.section),
        )
        for key, row in rows.items()
    ]
    connection.execute(_WRITE_PROGRESS, {"rows": json.dumps(values)})


def write_positions(connection: Connection, positions: Mapping[int, Position | None]) -> None:
    """Overwrite the positions of these enrollments, which must be locked."""
    connection.execute(_WRITE_POSITIONS, {"rows": json.dumps([_position(*each) for each in positions.items()])})


def _position(key: int, position: Position | None) -> tuple[object, ...]:
    columns = position_columns(position)
    columns["position_at"] = _iso(position.occurred_at) if position else None
    return (key, *columns.values())


def _section_columns(section: Section | None) -> tuple[object, ...]:
    """Return a section's columns in their order, as JSON."""
    if section is None:
        return (None,) * 5
    at, sequence, is_view, event_id = section.order
    return (section.section_id, at.isoformat(), sequence, "viewed" if is_view else "completed", event_id)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
