"""Enrollments: `user_course` rows made by events, the locks every batch takes on them, and those of a course.

A row that an event made follows the latest `enrollment.created` by (time, sequence, arrival, event id), but stays its
user's. A row that the LMS inserted has no `enrolled_at` and keeps what the LMS wrote; its events tell its time zone.
"""

import json
import time
from collections import deque
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from worker.contract.event import EnrollmentCreated
from worker.contract.identity import sequence_key
from worker.database.failures import is_lock_timeout
from worker.progress.reference import Recorded

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

_KNOWN = text("""
    SELECT user_course_id, event_id::text, occurred_at, user_id, course_id, timezone, sequence
    FROM enrollment_event
    WHERE (user_course_id, event_id) IN (
        SELECT (e->>0)::bigint, (e->>1)::uuid FROM jsonb_array_elements(CAST(:keys AS jsonb)) AS given (e)
    )
""")

_LIVE = text("""
    SELECT id, known.user_id, known.course_id, enrolled_at, coalesce(live.sequence, ''), coalesce(live.arrival, 0),
           enrolled_event_id::text
    FROM user_course AS known
    LEFT JOIN enrollment_event AS live ON (live.user_course_id, live.event_id) = (known.id, enrolled_event_id)
    WHERE id = ANY(CAST(:ids AS bigint[]))
""")

_REMEMBER = text("""
    INSERT INTO enrollment_event (
        user_course_id, event_id, occurred_at, sequence, arrival, user_id, course_id, timezone
    )
    SELECT (e->>0)::bigint, (e->>1)::uuid, (e->>2)::timestamptz, e->>3, (e->>4)::bigint, (e->>5)::bigint,
           (e->>6)::bigint, e->>7
    FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
""")

# A zone that the LMS set itself since then stays.
_UPDATE = text("""
    UPDATE user_course AS known
    SET course_id = (e->>6)::bigint, enrolled_at = (e->>2)::timestamptz, enrolled_event_id = (e->>1)::uuid,
        timezone = CASE WHEN EXISTS (
            SELECT FROM enrollment_event
            WHERE user_course_id = known.id AND by_lms AND occurred_at > (e->>2)::timestamptz
        ) THEN known.timezone ELSE e->>7 END,
        updated_at = now()
    FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
    WHERE known.id = (e->>0)::bigint
""")

_REMEMBER_OF_LMS = text("""
    INSERT INTO enrollment_event (user_course_id, event_id, occurred_at, user_id, course_id, timezone, by_lms)
    SELECT id, gen_random_uuid(), 'epoch', user_id, course_id, timezone, true FROM user_course AS enrollment
    WHERE id = ANY(CAST(:ids AS bigint[])) AND timezone IS NOT NULL
      AND NOT EXISTS (SELECT FROM enrollment_event WHERE user_course_id = enrollment.id)
""")

_OF_COURSE = text("SELECT id FROM user_course WHERE course_id = :course_id AND id > :after ORDER BY id LIMIT :limit")


FREE_SECONDS = 0.02
"""How long an insert waits where some are known to be held up."""


def insert_enrollments(connection: Connection, events: Sequence[EnrollmentCreated]) -> list[int]:
    """Insert the enrollments that do not exist yet, each as its first event says, in id order; their ids.

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
    parts = deque([sorted(_first(events), key=lambda event: event.data.course_id)])
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


def record_enrollments(
    connection: Connection, arrived: Sequence[tuple[EnrollmentCreated, int]], inserted: Collection[int]
) -> list[Recorded]:
    """Remember the events and apply the later ones to their rows; what became of each. The rows must be locked.

    `arrived`: events with the arrival of each, in the order in which they came; `inserted`: the rows that the first
    event of each made just now. An event that names another user than the row's changes nothing. Of a row that the LMS
    inserted it tells the time zone from its time on, and nothing else.
    """
    keys = [(event.data.user_course_id, event.event_id) for event, _ in arrived]
    known = {
        (row.user_course_id, row.event_id): (row.occurred_at, row.sequence, row.user_id, row.course_id, row.timezone)
        for row in connection.execute(_KNOWN, {"keys": json.dumps(keys)})
    }
    live = {row.id: row for row in connection.execute(_LIVE, {"ids": [key for key, _ in keys]})}
    orders = {key: tuple(row[3:]) for key, row in live.items()}
    fresh = set(inserted)
    outcome = []
    of_lms: list[int] = []
    new: list[tuple[object, ...]] = []
    changed: dict[int, tuple[object, ...]] = {}
    for key, (event, arrival) in zip(keys, arrived, strict=True):
        user_course_id, data = event.data.user_course_id, event.data
        row = live[user_course_id]
        sequence = sequence_key(event.sequence)
        told = (event.time, sequence, data.user_id, data.course_id, data.timezone)
        if key in known:
            outcome.append(Recorded.REPEATED if known[key] == told else Recorded.IDENTITY_CONFLICT)
            continue
        if row.user_id is not None and row.user_id != data.user_id:
            outcome.append(Recorded.ENROLLMENT_CONFLICT)
            continue
        known[key] = told
        order = (event.time, sequence, arrival, event.event_id)
        new.append((*key, event.time.isoformat(), sequence, arrival, *told[2:]))
        if row.enrolled_at is None:
            of_lms.append(user_course_id)
            outcome.append(Recorded.APPLIED if row.course_id == data.course_id else Recorded.SUPERSEDED)
            continue
        if user_course_id in fresh:
            fresh.remove(user_course_id)
        elif order > orders[user_course_id]:
            changed[user_course_id] = new[-1]
        else:
            outcome.append(Recorded.SUPERSEDED)
            continue
        outcome.append(Recorded.APPLIED)
        orders[user_course_id] = order
    if of_lms:
        connection.execute(_REMEMBER_OF_LMS, {"ids": of_lms})
    if new:
        connection.execute(_REMEMBER, {"events": json.dumps(new)})
    if changed:
        connection.execute(_UPDATE, {"events": json.dumps(list(changed.values()))})
    return outcome


def enrollments_of(connection: Connection, course_id: int, after: int, limit: int) -> list[int]:
    """Ids above `after` of up to `limit` enrollments of the course, in order: one range of an index."""
    return list(connection.scalars(_OF_COURSE, {"course_id": course_id, "after": after, "limit": limit}))


def _first(events: Sequence[EnrollmentCreated]) -> list[EnrollmentCreated]:
    """Of each enrollment's events the first alone."""
    return list({event.data.user_course_id: event for event in reversed(events)}.values())


def _parameter(events: Sequence[EnrollmentCreated]) -> str:
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
            for event in _first(events)
        ]
    )
