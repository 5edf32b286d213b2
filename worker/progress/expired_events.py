"""Delete old events from the ledger, record that on their enrollments, and mark the activity stale.

All events of a corrected lesson are kept, because its row is recomputed from them.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

_TIME_AGO = text("SELECT now() - make_interval(secs => 86400 * CAST(:days AS float8))")

_EXPIRED = text("""
    SELECT user_course_id, event_id::text FROM lesson_event AS event
    WHERE recorded_at < :before AND user_course_id <> ALL(CAST(:held AS bigint[])) AND NOT EXISTS (
        SELECT FROM user_course_progress AS progress
        WHERE (progress.user_course_id, progress.topic_id, progress.lesson_id)
            = (event.user_course_id, event.topic_id, event.lesson_id) AND corrected_at IS NOT NULL
    )
    LIMIT :limit
""")

_DELETE = text("""
    WITH chosen AS (
        SELECT (e->>0)::bigint AS user_course_id, (e->>1)::uuid AS event_id
        FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
    ),
    deleted AS (
        DELETE FROM lesson_event AS event USING chosen
        WHERE (event.user_course_id, event.event_id) = (chosen.user_course_id, chosen.event_id) AND NOT EXISTS (
            SELECT FROM user_course_progress AS progress
            WHERE (progress.user_course_id, progress.topic_id, progress.lesson_id)
                = (event.user_course_id, event.topic_id, event.lesson_id) AND corrected_at IS NOT NULL
        )
        RETURNING event.user_course_id
    ),
    limited AS (
        UPDATE user_course SET history_from = greatest(history_from, :before)
        WHERE id IN (SELECT user_course_id FROM deleted)
    ),
    marked AS (
        INSERT INTO activity_change (user_course_id) SELECT DISTINCT user_course_id FROM deleted
    )
    SELECT count(*) FROM deleted
""")

Event = tuple[int, str]
"""(user_course_id, event id)"""


def time_ago(connection: Connection, days: float) -> datetime:
    """Return the time that many days ago, by PostgreSQL's clock."""
    found: datetime = connection.execute(_TIME_AGO, {"days": days}).scalar_one()
    return found


def expired_events(connection: Connection, before: datetime, limit: int, held: Collection[int]) -> list[Event]:
    """Return up to `limit` events recorded before that time and no longer needed, except those of `held` enrollments.

    Uses a BRIN index: reads the oldest part of the ledger, not all of it.
    """
    parameters = {"before": before, "limit": limit, "held": list(held)}
    return [(key, event_id) for key, event_id in connection.execute(_EXPIRED, parameters)]


def delete_events(connection: Connection, events: Sequence[Event], before: datetime) -> int:
    """Delete these events except those needed by now; return their number.

    Their enrollments must be locked, so that no correction intervenes.
    """
    return int(connection.scalar(_DELETE, {"events": json.dumps(events), "before": before}) or 0)
