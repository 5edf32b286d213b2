"""Void an event: remove it from the ledger for good, for instance one that a wrong clock dated years ahead.

It is kept as a voided event, so that later deliveries of it are ignored.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.audit import voided_events
from worker.audit.difference import Difference, differences
from worker.audit.expected import expected_position, expected_progress, position_columns
from worker.audit.repaired_rows import write_positions, write_progress
from worker.audit.stored_rows import StoredEnrollment, read_enrollments
from worker.audit.void_rules import without
from worker.contract.event import LedgerEvent, ProgressCorrected
from worker.contract.identity import identity
from worker.database import stale_marks
from worker.database.engine import extend_timeout
from worker.database.failures import is_lock_timeout, is_transient
from worker.errors import InputError, LockedError, NotFoundError, ProgressError
from worker.progress import outlines
from worker.progress.enrollments import wait_for_enrollment
from worker.progress.reference import Position, Progress, latest_event, lesson_of, lesson_progress, position
from worker.progress.stored_outline import read_outlines
from worker.summary.statement import compute_summaries

MAX_SHOWN = 10
"""Maximum number of enrollments named that have the same event."""


@dataclass(frozen=True, slots=True)
class Voided:
    """A voided event."""

    user_course_id: int
    event_id: str
    event: LedgerEvent | None
    """None when it had been voided before."""
    voided_at: datetime
    changes: list[Difference]
    """Changes of its lesson's row and of the position."""


def event_identity(event: str, source: str | None) -> str:
    """Return the identity of an event. Raises InputError if its id is not a UUID and no source is given."""
    found = identity(source or "", event)
    if source is None and found != event.lower():
        raise InputError(
            f"{event} is no UUID: give the publisher's source too (--source), or the event id of the ledger."
        )
    return found


def void_event(
    engine: Engine, event_id: str, user_course_id: int | None, seconds: float, *, dry_run: bool = False
) -> Voided:
    """Void one event of one enrollment; correct its lesson's row, position and summary, and mark its activity.

    In one transaction under the enrollment's lock, rolled back if `dry_run`. Each statement takes up to
    `seconds`. Idempotent. Raises NotFoundError, InputError when several enrollments have the event and none is given,
    LockedError when another session holds the enrollment, and ProgressError when the ledger takes too long to read.
    """
    try:
        with engine.connect() as connection:
            extend_timeout(connection, seconds)
            found = _void(connection, event_id, _enrollment(connection, event_id, user_course_id))
            if not dry_run:
                connection.commit()
            return found
    except DBAPIError as error:
        if is_lock_timeout(error):
            raise LockedError(
                f"Nothing was changed: another session keeps the enrollment of event {event_id} locked. Try again."
            ) from error
        if not is_transient(error):
            raise
        raise ProgressError(
            f"Nothing was changed: the ledger takes longer than {seconds:.0f} s to read. Try again, with --enrollment."
        ) from error


def _enrollment(connection: Connection, event_id: str, user_course_id: int | None) -> int:
    found = voided_events.find_enrollments(connection, event_id, user_course_id, MAX_SHOWN)
    if not found:
        where = "" if user_course_id is None else f" of enrollment {user_course_id}"
        raise NotFoundError(f"There is no event {event_id}{where} in the ledger, nor was it voided.")
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise InputError(f"Several enrollments have an event {event_id}: say which with --enrollment ({ids}).")
    return found[0]


def _void(connection: Connection, event_id: str, user_course_id: int) -> Voided:
    outlines.hold_outlines(connection)
    wait_for_enrollment(connection, user_course_id)
    event = voided_events.move_event(connection, user_course_id, event_id)
    at = voided_events.voided_at(connection, user_course_id, event_id)
    if at is None:
        raise NotFoundError(f"Enrollment {user_course_id} or its event {event_id} was deleted meanwhile.")
    changes = [] if event is None else _correct_rows(connection, event)
    return Voided(user_course_id, event_id, event, at, changes)


def _correct_rows(connection: Connection, event: LedgerEvent) -> list[Difference]:
    """Write the lesson's row, the position and the summary that the remaining events require."""
    data = event.data
    key = (data.user_course_id, data.topic_id, data.lesson_id)
    stored = voided_events.read_stored(connection, key)
    row = _expected_row(connection, event, stored)
    changes: list[Difference] = []
    if row is not None and row != stored.row:
        write_progress(connection, {key: row})
        changes += differences("user_course_progress", key, asdict(stored.row) if stored.row else None, asdict(row))
    (enrolled,) = read_enrollments(connection, [data.user_course_id])
    position = _expected_position(connection, event, enrolled, is_complete=stored.is_complete)
    if position != enrolled.position:
        write_positions(connection, {data.user_course_id: position})
        changes += differences("user_course", (data.user_course_id,), enrolled.columns, position_columns(position))
    stale_marks.mark_activity(connection, [data.user_course_id])
    compute_summaries(connection, [data.user_course_id])
    return changes


def _expected_position(
    connection: Connection, event: LedgerEvent, enrolled: StoredEnrollment, *, is_complete: bool
) -> Position | None:
    known = enrolled.position
    events = [
        each for each in voided_events.latest_events(connection, enrolled.id) if not isinstance(each, ProgressCorrected)
    ]
    recorded = None
    if events:
        outlined = read_outlines(connection, [enrolled.course_id]).get(enrolled.course_id)
        latest, is_tied = latest_event(events, outlined.ordinals if outlined else {})
        recorded = position(latest, enrolled.rows[lesson_of(latest)], is_tied=is_tied)
    is_gone = known is not None and known.event_id == event.event_id
    return expected_position(None if is_gone else known, recorded, complete=is_complete)


def _expected_row(connection: Connection, event: LedgerEvent, stored: voided_events.Stored) -> Progress | None:
    data = event.data
    left = voided_events.decisive_events(connection, (data.user_course_id, data.topic_id, data.lesson_id))
    known = stored.row if stored.is_complete else without(stored.row, event)
    expected = expected_progress(known, lesson_progress(left) if left else None, complete=stored.is_complete)
    return expected or (stored.row and Progress())
