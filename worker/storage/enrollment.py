"""Enrollments: `user_course` rows made by events, the locks every batch takes on them, and those of a course.

A row that an event made follows the latest `enrollment.created` by (time, event id). A row that the LMS inserted has no
`enrolled_at` and keeps what the LMS wrote.
"""

import json
import time
from collections import deque
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from worker.domain.event import EnrollmentCreated
from worker.domain.progress import keep_latest
from worker.storage.database import is_lock_timeout

_INSERT = text("""
    INSERT INTO user_course (id, user_id, course_id, timezone, enrolled_at, enrolled_event_id)
    OVERRIDING SYSTEM VALUE -- an LMS's own table may generate its ids
    SELECT (e->>0)::bigint, (e->>1)::bigint, (e->>2)::bigint, e->>3, (e->>4)::timestamptz, (e->>5)::uuid
    FROM jsonb_array_elements(CAST(:enrollments AS jsonb)) AS given (e)
    ORDER BY 1
    ON CONFLICT (id) DO NOTHING
    RETURNING id
""")

_LOCK = text("""
    SELECT id FROM user_course WHERE id = ANY(CAST(:ids AS bigint[])) FOR NO KEY UPDATE SKIP LOCKED
""")

_WAIT = text("SELECT id FROM user_course WHERE id = :id FOR NO KEY UPDATE")

_LIMIT_WAIT = text("SELECT set_config('lock_timeout', :milliseconds, true)")

_EXISTING = text("SELECT id FROM user_course WHERE id = ANY(CAST(:ids AS bigint[]))")

_UPDATE = text("""
    WITH enrollment AS (
        SELECT (e->>0)::bigint AS id, (e->>1)::bigint AS user_id, (e->>2)::bigint AS course_id, e->>3 AS timezone,
               (e->>4)::timestamptz AS enrolled_at, (e->>5)::uuid AS event_id
        FROM jsonb_array_elements(CAST(:enrollments AS jsonb)) AS given (e)
    )
    UPDATE user_course AS known
    SET user_id = enrollment.user_id, course_id = enrollment.course_id, timezone = enrollment.timezone,
        enrolled_at = enrollment.enrolled_at, enrolled_event_id = enrollment.event_id, updated_at = now()
    FROM enrollment
    WHERE known.id = enrollment.id
      AND (enrollment.enrolled_at, enrollment.event_id) > (known.enrolled_at, known.enrolled_event_id)
""")

_OF_COURSE = text("SELECT id FROM user_course WHERE course_id = :course_id AND id > :after ORDER BY id LIMIT :limit")


FREE_SECONDS = 0.02
"""How long an insert waits where some are known to be held up."""


def insert_enrollments(connection: Connection, events: Sequence[EnrollmentCreated]) -> list[int]:
    """Insert the enrollments that do not exist yet, in id order; their ids.

    Waits up to `lock_timeout` for whoever is inserting one of them, or has locked a row that it refers to.
    """
    return list(connection.scalars(_INSERT, {"enrollments": _parameter(events)}))


def insert_free(connection: Connection, events: Sequence[EnrollmentCreated], until: float) -> list[int]:
    """Insert those of the enrollments that nobody keeps from being inserted; their ids.

    Each wait is short, and the others are tried apart from whoever waits, up to a moment of the monotonic clock; what
    is left then is among those not inserted.
    """
    connection.execute(_LIMIT_WAIT, {"milliseconds": str(int(FREE_SECONDS * 1000))})
    inserted: list[int] = []
    # Large parts before small ones, and of one course together: what holds one up often holds up its whole course.
    parts = deque([sorted(events, key=lambda event: event.data.course_id)])
    while parts and time.monotonic() < until:
        part = parts.popleft()
        try:
            with connection.begin_nested():
                inserted += insert_enrollments(connection, part)
        except OperationalError as error:
            if not is_lock_timeout(error):
                raise
            middle = len(part) // 2
            parts += [half for half in (part[:middle], part[middle:]) if middle]
    return inserted


def lock_enrollments(connection: Connection, ids: Collection[int]) -> set[int]:
    """Lock those of these rows that nobody else holds until the transaction ends; the ids that are locked now.

    Waits for no row (docs/decisions/0011). A statement of its own, before any other write: so every later statement of
    the transaction sees what the former holder of a lock committed.
    """
    return set(connection.scalars(_LOCK, {"ids": list(ids)}))


def wait_for_enrollment(connection: Connection, user_course_id: int, seconds: float | None = None) -> bool:
    """Lock the row, waiting so long, by default `lock_timeout`, for whoever holds it; whether it exists.

    The transaction must hold no other row: then nobody can be waiting for it meanwhile.
    """
    if seconds is not None:
        connection.execute(_LIMIT_WAIT, {"milliseconds": str(int(seconds * 1000))})
    return connection.scalar(_WAIT, {"id": user_course_id}) is not None


def existing_enrollments(connection: Connection, ids: Collection[int]) -> set[int]:
    """Those of these enrollments that exist, locked or not."""
    return set(connection.scalars(_EXISTING, {"ids": list(ids)}))


def update_enrollments(connection: Connection, events: Sequence[EnrollmentCreated]) -> None:
    """Apply later events to rows that events made. The rows must be locked."""
    connection.execute(_UPDATE, {"enrollments": _parameter(events)})


def enrollments_of(connection: Connection, course_id: int, after: int, limit: int) -> list[int]:
    """Ids above `after` of up to `limit` enrolments of the course, in order: one range of an index."""
    return list(connection.scalars(_OF_COURSE, {"course_id": course_id, "after": after, "limit": limit}))


def _parameter(events: Sequence[EnrollmentCreated]) -> str:
    """Of each enrolment's events the latest alone."""
    latest: dict[int, EnrollmentCreated] = {}
    for event in events:
        keep_latest(latest, event.data.user_course_id, event)
    return json.dumps(
        [
            (
                event.data.user_course_id,
                event.data.user_id,
                event.data.course_id,
                event.data.timezone,
                event.time.isoformat(),
                event.event_id,
            )
            for event in latest.values()
        ]
    )
