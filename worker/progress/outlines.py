"""Outlines: a course's live lessons in order.

The latest `course.outlined` by (time, sequence, arrival, event id) is the live one.
"""

import json
from collections.abc import Collection, Sequence
from hashlib import sha256

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from worker.contract.event import CourseOutlined
from worker.contract.identity import sequence_key
from worker.database.advisory_locks import OUTLINES_LOCK
from worker.database.failures import is_lock_timeout
from worker.identity.outline_names import ResolvedOutline
from worker.progress.moved_lessons import moved_lessons
from worker.progress.reference import Recorded

# The caller holds no row yet, so no session waits for it, and this may take longer than a wait for a row.
_HOLD = text("SELECT set_config('lock_timeout', '1s', true), pg_advisory_xact_lock_shared(:key)")

_LOCK = text("SELECT set_config('lock_timeout', '1s', true), pg_advisory_xact_lock(:key)")

_RESET_TIMEOUT = text("SET LOCAL lock_timeout TO DEFAULT")

_KNOWN = text("""
    SELECT course_id, event_id::text, occurred_at, sequence, digest FROM outline_event
    WHERE (course_id, event_id) IN (
        SELECT (e->>0)::bigint, (e->>1)::uuid FROM jsonb_array_elements(CAST(:keys AS jsonb)) AS given (e)
    )
""")

_LIVE = text("""
    SELECT id, outlined_at, coalesce(live.sequence, ''), coalesce(live.arrival, 0), outline_event_id::text
    FROM course LEFT JOIN outline_event AS live ON (live.course_id, live.event_id) = (id, outline_event_id)
    WHERE id = ANY(CAST(:course_ids AS bigint[]))
""")

_OUTLINE = text("""
    WITH outlined AS (
        INSERT INTO course AS known (id, outlined_at, outline_event_id, stale_since)
        SELECT (e->>0)::bigint, (e->>1)::timestamptz, (e->>2)::uuid, now()
        FROM jsonb_array_elements(CAST(:outlines AS jsonb)) AS given (e)
        ORDER BY 1
        ON CONFLICT (id) DO UPDATE
        SET outlined_at = excluded.outlined_at, outline_event_id = excluded.outline_event_id,
            version = known.version + 1, stale_since = coalesce(known.stale_since, now())
        RETURNING id
    )
    INSERT INTO course_change (course_id) SELECT id FROM outlined
""")

_STORE = text("""
    INSERT INTO outline_event (course_id, event_id, occurred_at, sequence, arrival, digest)
    SELECT (e->>0)::bigint, (e->>1)::uuid, (e->>2)::timestamptz, e->>3, (e->>4)::bigint, decode(e->>5, 'hex')
    FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
""")

_REPLACE_LESSONS = text("""
    WITH lesson AS (
        SELECT (e->>0)::bigint AS course_id, (l->>0)::int AS topic_id, (l->>1)::int AS lesson_id, l->>2 AS title,
               ordinal
        FROM jsonb_array_elements(CAST(:outlines AS jsonb)) AS given (e)
        CROSS JOIN jsonb_array_elements(e->3) WITH ORDINALITY AS lessons (l, ordinal)
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

_REPLACE_MOVED = text("""
    WITH removed AS (
        DELETE FROM moved_lesson
        WHERE course_id = ANY(CAST(:course_ids AS bigint[])) AND (course_id, from_topic_id, from_lesson_id) NOT IN (
            SELECT (m->>0)::bigint, (m->>1)::int, (m->>2)::int
            FROM jsonb_array_elements(CAST(:moved AS jsonb)) AS given (m)
        )
    )
    INSERT INTO moved_lesson AS known (course_id, from_topic_id, from_lesson_id, topic_id, lesson_id)
    SELECT (m->>0)::bigint, (m->>1)::int, (m->>2)::int, (m->>3)::int, (m->>4)::int
    FROM jsonb_array_elements(CAST(:moved AS jsonb)) AS given (m)
    ON CONFLICT (course_id, from_topic_id, from_lesson_id) DO UPDATE
    SET topic_id = excluded.topic_id, lesson_id = excluded.lesson_id
    WHERE (known.topic_id, known.lesson_id) <> (excluded.topic_id, excluded.lesson_id)
""")


class OutlinesHeldError(OperationalError):
    """Another session holds the outlines, to refresh summaries from them or to change one."""


def hold_outlines(connection: Connection) -> None:
    """Prevent changes of outlines until the transaction ends; several sessions may hold them at once.

    Call it before the transaction locks any row.
    """
    connection.execute(_HOLD, {"key": OUTLINES_LOCK})
    connection.execute(_RESET_TIMEOUT)


def record_outlines(connection: Connection, arrived: Sequence[tuple[CourseOutlined, int]]) -> list[Recorded]:
    """Make each course's latest outline the live one, unless the stored one is later; return the result of each event.

    `arrived`: events with their arrivals, in order of arrival. Writes no enrollment: the course's new version makes the
    summaries stale.

    Call it before the transaction locks any row; it locks out other changes of outlines. Raises OutlinesHeldError.
    """
    try:
        connection.execute(_LOCK, {"key": OUTLINES_LOCK})
    except OperationalError as error:
        if is_lock_timeout(error):
            raise OutlinesHeldError(error.statement, error.params, error.orig or error) from error
        raise
    connection.execute(_RESET_TIMEOUT)
    keys = [(event.data.course_id, event.event_id) for event, _ in arrived]
    known = {
        (row.course_id, row.event_id): (row.occurred_at, row.sequence, row.digest)
        for row in connection.execute(_KNOWN, {"keys": json.dumps(keys)})
    }
    live = {
        key: tuple(order) for key, *order in connection.execute(_LIVE, {"course_ids": [course for course, _ in keys]})
    }
    outcome, new, changed = [], [], {}
    for key, (event, arrival) in zip(keys, arrived, strict=True):
        sequence, digest = sequence_key(event.sequence), _digest(event)
        if key in known:
            time, known_sequence, known_digest = known[key]
            # Older rows have no digest.
            is_equal = (time, known_sequence, known_digest or digest) == (event.time, sequence, digest)
            outcome.append(Recorded.REPEATED if is_equal else Recorded.IDENTITY_CONFLICT)
            continue
        known[key] = (event.time, sequence, digest)
        order = (event.time, sequence, arrival, event.event_id)
        new.append((*key, event.time.isoformat(), *order[1:3], digest.hex()))
        is_later = event.data.course_id not in live or order > live[event.data.course_id]
        outcome.append(Recorded.APPLIED if is_later else Recorded.SUPERSEDED)
        if is_later:
            live[event.data.course_id], changed[event.data.course_id] = order, event
    if changed:
        _replace(connection, changed.values())
    if new:
        connection.execute(_STORE, {"events": json.dumps(new)})
    return outcome


def _replace(connection: Connection, events: Collection[CourseOutlined]) -> None:
    outlines = json.dumps(
        [
            (
                event.data.course_id,
                event.time.isoformat(),
                event.event_id,
                [(lesson.topic_id, lesson.lesson_id, lesson.title) for lesson in event.data.lessons],
            )
            for event in events
        ]
    )
    moved = json.dumps(
        [
            (event.data.course_id, *old, *new)
            for event in events
            for old, new in moved_lessons(event.data.lessons).items()
        ]
    )
    course_ids = [event.data.course_id for event in events]
    connection.execute(_OUTLINE, {"outlines": outlines})
    connection.execute(_REPLACE_LESSONS, {"outlines": outlines, "course_ids": course_ids})
    connection.execute(_REPLACE_MOVED, {"moved": moved, "course_ids": course_ids})


def _digest(event: CourseOutlined) -> bytes:
    if isinstance(event.data, ResolvedOutline):
        return event.data.names_digest
    lessons = [
        (
            each.topic_id,
            each.lesson_id,
            each.title,
            [(place.topic_id, place.lesson_id) for place in each.moved_from or ()],
        )
        for each in event.data.lessons
    ]
    return sha256(json.dumps(lessons).encode()).digest()
