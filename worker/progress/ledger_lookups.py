"""Look-ups in the ledger, off the hot path: recorded events and the times of one lesson."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.contract.lesson import LessonKey, lesson_parameters
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
"""Number of pages read at the end of the ledger: more than concurrent writers extend it by at once."""

_LAST_PAGE = text("SELECT pg_relation_size('lesson_event') / current_setting('block_size')::int")

_NEWEST = text("SELECT max(recorded_at) FROM lesson_event WHERE ctid >= CAST(:first AS tid)")


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A recorded event; `type` is the last word of the contract's type."""

    type: str
    topic_id: int
    lesson_id: int
    snapshot: Progress | None
    """The snapshot of a correction."""


def recorded_now(connection: Connection, events: Collection[EventKey]) -> set[EventKey]:
    """Return those of these events that this transaction recorded; the others existed before. One query."""
    rows = connection.execute(_RECORDED_NOW, {"events": json.dumps(list(events))})
    return {(user_course_id, event_id) for user_course_id, event_id in rows}


def find_event(connection: Connection, key: EventKey) -> RecordedEvent | None:
    """Return the recorded event of this identity, even if voided."""
    row = connection.execute(_FIND, {"user_course_id": key[0], "event_id": key[1]}).one_or_none()
    if row is None:
        return None
    snapshot = None
    if row.corrected_status:
        status = ProgressStatus(row.corrected_status)
        snapshot = Progress(status, row.corrected_last_viewed_at, row.corrected_completed_at)
    return RecordedEvent(row.type, row.topic_id, row.lesson_id, snapshot)


def latest_time(connection: Connection, key: LessonKey) -> datetime | None:
    """Return the latest time of any event or correction of the lesson."""
    found: datetime | None = connection.scalar(_LATEST_TIME, lesson_parameters(key))
    return found


def present(connection: Connection, key: LessonKey) -> tuple[datetime, datetime]:
    """Return PostgreSQL's clock, and the time for an event of the lesson now: always after its correction.

    A correction may be ahead of the clock, as it is dated after all that it overrides. The enrollment must be locked.
    """
    now, time = connection.execute(_PRESENT, lesson_parameters(key)).one()
    return now, time


def last_recorded_at(connection: Connection) -> datetime | None:
    """Return when the newest ledger row was recorded (its transaction began); None for an empty ledger.

    No index answers this cheaply: a BRIN index has no maximum, and a B-tree on a rising time would tax every insert. As
    the ledger grows at its end, this reads its last pages. If deletions (retention, a removed enrollment) left room
    further up, newer rows may be there, and the answer is too old until the ledger grows again.
    """
    pages = int(connection.scalar(_LAST_PAGE) or 0)
    newest: datetime | None = connection.scalar(_NEWEST, {"first": f"({max(0, pages - NEWEST_PAGES)},0)"})
    return newest
