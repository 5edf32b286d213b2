"""One event in one transaction, by two statements that may be repeated: no ledger, nothing to deduplicate by.

It does less than this worker: no history, no corrections, no summaries to mark, no enrollment that comes later.
"""

from datetime import datetime
from typing import Any

import psycopg

_PROGRESS = """
    INSERT INTO user_course_progress AS known
        (user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at)
    VALUES (%(user_course_id)s, %(topic_id)s, %(lesson_id)s, %(status)s, %(time)s, %(completed_at)s)
    ON CONFLICT (user_course_id, topic_id, lesson_id) DO UPDATE
    SET status = greatest(known.status, excluded.status),
        last_viewed_at = greatest(known.last_viewed_at, excluded.last_viewed_at),
        completed_at = least(known.completed_at, excluded.completed_at),
        updated_at = now()
"""
_POSITION = """
    UPDATE user_course
    SET current_topic = %(topic_id)s, current_lesson = %(lesson_id)s, current_section = %(section_id)s,
        position_at = %(time)s, position_event_id = %(event_id)s, updated_at = now()
    WHERE id = %(user_course_id)s
      AND (position_at IS NULL OR (position_at, position_event_id) < (%(time)s, %(event_id)s::uuid))
"""


def record_one(connection: psycopg.Connection, event: dict[str, Any]) -> None:
    """Record a lesson event, a CloudEvent as parsed JSON, and commit. psycopg prepares both statements by itself."""
    data, time = event["data"], datetime.fromisoformat(event["time"])
    is_completion = event["type"] == "lesson.completed"
    values = {
        "user_course_id": data["user_course_id"],
        "topic_id": data["topic_id"],
        "lesson_id": data["lesson_id"],
        "section_id": data.get("section_id"),
        "event_id": event["id"],
        "time": time,
        "status": "completed" if is_completion else "in_progress",
        "completed_at": time if is_completion else None,
    }
    with connection.transaction():
        connection.execute(_PROGRESS, values)
        connection.execute(_POSITION, values)
