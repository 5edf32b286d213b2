"""Enrollments: the `user_course` rows, and the locks that every batch takes on them.

A row created by an event follows the latest `enrollment.created` by (time, sequence, arrival, event id), but never
changes its user. A row inserted by the LMS has no `enrolled_at` and keeps its values; events only set its time zone.
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

_STORE = text("""
    INSERT INTO enrollment_event (
        user_course_id, event_id, occurred_at, sequence, arrival, user_id, course_id, timezone
    )
    SELECT (e->>0)::bigint, (e->>1)::uuid, (e->>2)::timestamptz, e->>3, (e->>4)::bigint, (e->>5)::bigint,
           (e->>6)::bigint, e->>7
    FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
""")

# A zone that the LMS itself has set later stays.
_UPDATE = text("""
    UPDATE user_course AS known
    SET course_id = (e->>6)::bigint, enrolled_at = (e->>2)::timestamptz, enrolled_event_id = (e->>1)::uuid,
        timezone = CASE WHEN EXISTS (
            SELECT FROM enrollment_event
            WHERE user_course_id = known.id AND by_lms AND occurred_at > (e->>2)::timestamptz
        ) THEN known.timezone ELSE e->>7 END,
        updated_at = statement_timestamp()
    FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
    WHERE known.id = (e->>0)::bigint
""")

_STORE_LMS_ZONES = text("""
    INSERT INTO enrollment_event (user_course_id, event_id, occurred_at, user_id, course_id, timezone, by_lms)
    SELECT id, gen_random_uuid(), 'epoch', user_id, course_id, timezone, true FROM user_course AS enrollment
    WHERE id = ANY(CAST(:ids AS bigint[])) AND timezone IS NOT NULL
      AND NOT EXISTS (SELECT FROM enrollment_event WHERE user_course_id = enrollment.id)
""")

_OF_COURSE = text("SELECT id FROM user_course WHERE course_id = :course_id AND id > :after ORDER BY id LIMIT :limit")


FREE_SECONDS = 0.02
"""How long each insert of `insert_free` waits for a lock."""


def insert_enrollments(connection: Connection, events: Sequence[EnrollmentCreated]) -> list[int]:
    """Insert the enrollments that do not exist, each by its first event, in id order; return their ids.

    Waits up to `lock_timeout` for a session that inserts the same enrollment or has locked a row that it refers to.
    """
    return list(connection.scalars(_INSERT, {"enrollments": _parameter(events)}))


def insert_free(connection: Connection, events: Sequence[EnrollmentCreated], until: float) -> list[int]:
    """Insert those of the enrollments that no lock holds up; return their ids.

    Each attempt waits for FREE_SECONDS, then is split in halves, until the time `until` of the monotonic clock.
    """
    connection.execute(_LIMIT_WAIT, {"milliseconds": str(int(FREE_SECONDS * 1000))})
    inserted: list[int] = []
    # Large parts before small ones, sorted by course, because a lock often holds up a whole course.
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
    """Lock the rows that no other session holds, until the transaction ends; return the locked ids.

    Waits for no row (docs/decisions/0011). Call it before any other write: later statements of the transaction then see
    what the previous holder of a lock committed.
    """
    return set(connection.scalars(_LOCK, {"ids": list(ids)}))


def wait_for_enrollment(connection: Connection, user_course_id: int, seconds: float | None = None) -> bool:
    """Lock the row, waiting for it up to `seconds`, by default `lock_timeout`; return whether it exists.

    The transaction must hold no other row, so that no session waits for it meanwhile.
    """
    if seconds is not None:
        connection.execute(_LIMIT_WAIT, {"milliseconds": str(int(seconds * 1000))})
    return connection.scalar(_WAIT, {"id": user_course_id}) is not None


def existing_enrollments(connection: Connection, ids: Collection[int]) -> set[int]:
    """Return those of these enrollments that exist, locked or not."""
    return set(connection.scalars(_EXISTING, {"ids": list(ids)}))


def record_enrollments(
    connection: Connection, arrived: Sequence[tuple[EnrollmentCreated, int]], inserted: Collection[int]
) -> list[Recorded]:
    """Store the events and apply the later ones to their rows; return the result of each. The rows must be locked.

    `arrived`: events with their arrivals, in order of arrival; `inserted`: the rows just created by their first event.
    An event that names another user than its row's changes nothing. To a row inserted by the LMS it applies only the
    time zone, from the event's time on.
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
    by_lms: list[int] = []
    new: list[tuple[object, ...]] = []
    changed: dict[int, tuple[object, ...]] = {}
    for key, (event, arrival) in zip(keys, arrived, strict=True):
        user_course_id, data = event.data.user_course_id, event.data
        row = live[user_course_id]
        sequence = sequence_key(event.sequence)
        content = (event.time, sequence, data.user_id, data.course_id, data.timezone)
        if key in known:
            is_same = known[key][1:] == content[1:] and (event.untimed or known[key][0] == event.time)
            outcome.append(Recorded.REPEATED if is_same else Recorded.IDENTITY_CONFLICT)
            continue
        if row.user_id is not None and row.user_id != data.user_id:
            outcome.append(Recorded.ENROLLMENT_CONFLICT)
            continue
        known[key] = content
        order = (event.time, sequence, arrival, event.event_id)
        new.append((*key, event.time.isoformat(), sequence, arrival, *content[2:]))
        if row.enrolled_at is None:
            by_lms.append(user_course_id)
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
    if by_lms:
        connection.execute(_STORE_LMS_ZONES, {"ids": by_lms})
    if new:
        connection.execute(_STORE, {"events": json.dumps(new)})
    if changed:
        connection.execute(_UPDATE, {"events": json.dumps(list(changed.values()))})
    return outcome


def enrollments_of(connection: Connection, course_id: int, after: int, limit: int) -> list[int]:
    """Return up to `limit` ids above `after` of enrollments of the course, in order: one range of an index."""
    return list(connection.scalars(_OF_COURSE, {"course_id": course_id, "after": after, "limit": limit}))


def _first(events: Sequence[EnrollmentCreated]) -> list[EnrollmentCreated]:
    """Return the first event of each enrollment."""
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
