"""Move an event from the ledger to the voided events, and read what remains of its lesson and position."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worker.audit.stored_rows import section_of
from worker.contract.event import LedgerEvent
from worker.contract.lesson import LessonKey, lesson_parameters
from worker.contract.progress_status import ProgressStatus
from worker.progress.ledger_events import COLUMNS, ledger_event
from worker.progress.reference import Progress

# Without an enrollment this scans the ledger, whose key begins with it.
_FIND = text("""
    SELECT user_course_id FROM lesson_event
    WHERE event_id = CAST(:event_id AS uuid)
      AND (CAST(:user_course_id AS bigint) IS NULL OR user_course_id = :user_course_id)
    UNION
    SELECT user_course_id FROM voided_event
    WHERE event_id = CAST(:event_id AS uuid)
      AND (CAST(:user_course_id AS bigint) IS NULL OR user_course_id = :user_course_id)
    ORDER BY 1 LIMIT :limit
""")

# A worker of an older version may have recorded an event that was already voided.
_MOVE = text(f"""
    WITH gone AS (
        DELETE FROM lesson_event WHERE (user_course_id, event_id) = (:user_course_id, CAST(:event_id AS uuid))
        RETURNING *
    ),
    voided AS (
        INSERT INTO voided_event (
            user_course_id, event_id, occurred_at, recorded_at, type, topic_id, lesson_id, section_id, duration_seconds,
            corrected_status, corrected_last_viewed_at, corrected_completed_at, sequence
        )
        SELECT user_course_id, event_id, occurred_at, recorded_at, type, topic_id, lesson_id, section_id,
               duration_seconds, corrected_status, corrected_last_viewed_at, corrected_completed_at, sequence
        FROM gone
        ON CONFLICT DO NOTHING
    )
    SELECT {COLUMNS} FROM gone
""")  # noqa: S608 - constants

_VOIDED_AT = text("""
    SELECT voided_at FROM voided_event WHERE (user_course_id, event_id) = (:user_course_id, CAST(:event_id AS uuid))
""")

_STORED = text("""
    SELECT history_from, progress.id AS row_id, status::text, last_viewed_at, completed_at, corrected_at,
           section_id, section_at, section_sequence, section_type::text, section_event_id::text
    FROM user_course AS enrollment
    LEFT JOIN user_course_progress AS progress
        ON (user_course_id, topic_id, lesson_id) = (enrollment.id, :topic_id, :lesson_id)
    WHERE enrollment.id = :user_course_id
""")

# All that the rules need: the ruling correction, the latest event and the earliest completion after it, and the event
# with the latest section.
_DECISIVE = text(f"""
    WITH its AS MATERIALIZED (
        SELECT * FROM lesson_event
        WHERE (user_course_id, topic_id, lesson_id) = (:user_course_id, :topic_id, :lesson_id)
    ),
    ruling AS (
        SELECT * FROM its WHERE type = 'corrected' ORDER BY occurred_at DESC, sequence DESC, event_id DESC LIMIT 1
    ),
    later AS (
        SELECT its.* FROM its LEFT JOIN ruling ON true
        WHERE its.type <> 'corrected' AND (
            ruling.event_id IS NULL OR its.occurred_at > ruling.occurred_at
            OR (its.occurred_at = ruling.occurred_at AND ruling.sequence <> '' AND its.sequence > ruling.sequence)
        )
    ),
    decisive AS (
        SELECT * FROM ruling
        UNION (SELECT * FROM later ORDER BY occurred_at DESC LIMIT 1)
        UNION (SELECT * FROM later WHERE type = 'completed' ORDER BY occurred_at LIMIT 1)
        UNION (SELECT * FROM its WHERE section_id IS NOT NULL
               ORDER BY occurred_at DESC, sequence DESC, type, event_id DESC LIMIT 1)
    )
    SELECT {COLUMNS} FROM decisive
""")  # noqa: S608 - constants

_LATEST = text(f"""
    WITH its AS MATERIALIZED (
        SELECT * FROM lesson_event WHERE user_course_id = :user_course_id AND type <> 'corrected'
    )
    SELECT {COLUMNS} FROM its
    WHERE (occurred_at, sequence, type) = (
        SELECT occurred_at, sequence, type FROM its ORDER BY occurred_at DESC, sequence DESC, type LIMIT 1
    )
""")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of one lesson."""

    row: Progress | None
    is_complete: bool
    """Retention deleted none of the enrollment's events."""


def find_enrollments(connection: Connection, event_id: str, user_course_id: int | None, limit: int) -> list[int]:
    """Return up to `limit` enrollments that recorded or voided this event; at most the given one."""
    parameters = {"event_id": event_id, "user_course_id": user_course_id, "limit": limit}
    return list(connection.scalars(_FIND, parameters))


def move_event(connection: Connection, user_course_id: int, event_id: str) -> LedgerEvent | None:
    """Move the event from the ledger to the voided ones; None if it is not there. The enrollment must be locked."""
    row = connection.execute(_MOVE, {"user_course_id": user_course_id, "event_id": event_id}).one_or_none()
    return None if row is None else ledger_event(row)


def voided_at(connection: Connection, user_course_id: int, event_id: str) -> datetime | None:
    """Return when the event was voided; None if it was not."""
    found: datetime | None = connection.scalar(_VOIDED_AT, {"user_course_id": user_course_id, "event_id": event_id})
    return found


def read_stored(connection: Connection, key: LessonKey) -> Stored:
    """Return what is stored of this lesson of an existing enrollment. One query."""
    found = connection.execute(_STORED, lesson_parameters(key)).one()
    row = None
    if found.row_id is not None:
        status = ProgressStatus(found.status)
        row = Progress(status, found.last_viewed_at, found.completed_at, found.corrected_at, section_of(found))
    return Stored(row, found.history_from is None)


def decisive_events(connection: Connection, key: LessonKey) -> list[LedgerEvent]:
    """Return up to four events of the lesson that imply the same row as all. Reads the enrollment's ledger once."""
    return [ledger_event(row) for row in connection.execute(_DECISIVE, lesson_parameters(key))]


def latest_events(connection: Connection, user_course_id: int) -> list[LedgerEvent]:
    """Return the enrollment's latest lesson event, or all that are tied. Reads its ledger once."""
    return [ledger_event(row) for row in connection.execute(_LATEST, {"user_course_id": user_course_id})]
