"""Look-ups in the ledger, off the hot path: which events are there, and what is known of one lesson."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.contract.lesson import LessonKey
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import Progress

EventKey = tuple[int, str]
"""(user_course_id, event id)"""

_RECORDED_NOW = text("""
    SELECT user_course_id, event_id::text
    FROM jsonb_array_elements(CAST(:events AS jsonb)) AS given (e)
    JOIN lesson_event ON (user_course_id, event_id) = ((e->>0)::bigint, (e->>1)::uuid)
    WHERE lesson_event.xmin = pg_current_xact_id()::xid
""")

_FIND = text("""
    SELECT type::text, topic_id, lesson_id, corrected_status, corrected_last_viewed_at, corrected_completed_at
    FROM lesson_event WHERE user_course_id = :user_course_id AND event_id = CAST(:event_id AS uuid)
    UNION ALL
    SELECT type::text, topic_id, lesson_id, corrected_status, corrected_last_viewed_at, corrected_completed_at
    FROM voided_event WHERE user_course_id = :user_course_id AND event_id = CAST(:event_id AS uuid)
    LIMIT 1
""")

_LATEST_TIME = text("""
    SELECT max(occurred_at) FROM lesson_event
    WHERE user_course_id = :user_course_id AND topic_id = :topic_id AND lesson_id = :lesson_id
""")

_PRESENT = text("""
    SELECT now, greatest(now, (
        SELECT corrected_at + interval '1 microsecond' FROM user_course_progress
        WHERE user_course_id = :user_course_id AND topic_id = :topic_id AND lesson_id = :lesson_id
    ))
    FROM clock_timestamp() AS now
""")

NEWEST_PAGES = 256
"""So many pages at the end of the ledger are looked through: more than concurrent writers extend it by at once."""

_LAST_PAGE = text("SELECT pg_relation_size('lesson_event') / current_setting('block_size')::int")

_NEWEST = text("SELECT max(recorded_at) FROM lesson_event WHERE ctid >= CAST(:first AS tid)")


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event that was recorded; `type` is the last word of the contract's."""

    type: str
    topic_id: int
    lesson_id: int
    snapshot: Progress | None
    """What a correction sets."""


def recorded_now(connection: Connection, events: Collection[EventKey]) -> set[EventKey]:
    """Those of these events that this transaction recorded; the others were there before. One query."""
    rows = connection.execute(_RECORDED_NOW, {"events": json.dumps(list(events))})
    return {(user_course_id, event_id) for user_course_id, event_id in rows}


def find_event(connection: Connection, key: EventKey) -> RecordedEvent | None:
    """The recorded event of this identity, be it voided."""
    row = connection.execute(_FIND, {"user_course_id": key[0], "event_id": key[1]}).one_or_none()
    if row is None:
        return None
    snapshot = None
    if row.corrected_status:
        status = ProgressStatus(row.corrected_status)
        snapshot = Progress(status, row.corrected_last_viewed_at, row.corrected_completed_at)
    return RecordedEvent(row.type, row.topic_id, row.lesson_id, snapshot)


def latest_time(connection: Connection, key: LessonKey) -> datetime | None:
    """The latest time of any event or correction of the lesson."""
    found: datetime | None = connection.scalar(_LATEST_TIME, _parameters(key))
    return found


def present(connection: Connection, key: LessonKey) -> tuple[datetime, datetime]:
    """PostgreSQL's clock, and the time of what is done to the lesson now: never before what was set by hand.

    A correction may be ahead of the clock: it is dated after all that it rules over. The enrollment must be locked.
    """
    now, time = connection.execute(_PRESENT, _parameters(key)).one()
    return now, time


def _parameters(key: LessonKey) -> dict[str, int]:
    user_course_id, topic_id, lesson_id = key
    return {"user_course_id": user_course_id, "topic_id": topic_id, "lesson_id": lesson_id}


def last_recorded_at(connection: Connection) -> datetime | None:
    """When the newest ledger row was recorded (its transaction began); None for an empty ledger.

    No index answers this cheaply: a BRIN index knows no maximum, and a B-tree on an ever-rising time would tax every
    insert. But the ledger grows at its end, so the newest row stands in its last pages, read here by their numbers.
    Only where deletions (retention, a removed enrollment) left room further up may newer rows stand there, and the
    answer be too old until the ledger grows again.
    """
    pages = int(connection.scalar(_LAST_PAGE) or 0)
    newest: datetime | None = connection.scalar(_NEWEST, {"first": f"({max(0, pages - NEWEST_PAGES)},0)"})
    return newest
