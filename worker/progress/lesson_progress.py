"""One lesson of one enrollment: read, create or correct its row, or mark the lesson viewed or completed.

Writes go through the ledger like events from a stream, so a rebuild makes the same rows. The only exception is a blank
row, not started, which has no event.
"""

from collections.abc import Collection
from datetime import datetime
from typing import cast

from pydantic import ValidationError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from worker.contract.batch import Batch
from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import Correction, LedgerEvent, LessonActivity, ProgressCorrected
from worker.contract.identity import identity
from worker.contract.lesson import LessonKey
from worker.contract.progress_status import ProgressStatus
from worker.database.failures import is_lock_timeout
from worker.database.server import clock
from worker.errors import ConflictError, InputError, LockedError, NotFoundError, unknown_enrollment
from worker.progress import enrollments, ledger_lookups
from worker.progress.correction_rules import Changes, corrected, correction_time, repeats
from worker.progress.ingest import apply
from worker.progress.lesson_event import SOURCE, LessonAction, latest_clock, lesson_event, valid_event_id
from worker.progress.progress_rows import StoredProgress, find_progress, insert_blank, read_courses
from worker.progress.reference import Progress

_NO_ENTRY = Entry("", "", None)
"""The entry of events that come from no stream."""


def get_progress(engine: Engine, key: LessonKey) -> StoredProgress:
    """Return a lesson's row. Raises NotFoundError if the enrollment or the row does not exist."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return _existing(connection, key)


def get_course_ids(engine: Engine, user_course_ids: Collection[int]) -> dict[int, int | None]:
    """Return the course of each of these enrollments that exists."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return {key: found.course_id for key, found in read_courses(connection, list(user_course_ids)).items()}


def create_progress(
    engine: Engine, key: LessonKey, changes: Changes, event_id: str | None = None
) -> tuple[StoredProgress, bool]:
    """Create a lesson's row unless it exists; return it, and whether it is new. Idempotent; commits.

    A row that is not started and has no times is created blank. `in_progress` without a time is a view now, which is
    activity of the learner; any other row is created by a correction. A time of None counts as omitted. Raises
    NotFoundError for an unknown enrollment, InputError for ids or times out of range and contradictory changes, and
    ConflictError if the event id belongs to another event.
    """
    with engine.begin() as connection:
        _lock(connection, key)
        _, found = find_progress(connection, key)
        if found is not None:
            return found, False
        now = clock(connection)
        given = cast("Changes", {name: value for name, value in changes.items() if value is not None})
        wanted = _consistent(key, Progress(), given, now)
        if (wanted.status, wanted.last_viewed_at) == (ProgressStatus.NOT_STARTED, None):
            insert_blank(connection, key)
        elif given == {"status": ProgressStatus.IN_PROGRESS}:
            activity = LessonActivity(user_course_id=key[0], topic_id=key[1], lesson_id=key[2])
            now, time = ledger_lookups.present(connection, key)
            _record(connection, lesson_event("viewed", activity, None, event_id, now=now, by_default=time))
        else:
            _correct(connection, wanted, now, event_id)
        return _existing(connection, key), True


def update_progress(engine: Engine, key: LessonKey, changes: Changes, event_id: str | None = None) -> StoredProgress:
    """Apply the changes as a correction that overrides every earlier event of the lesson; return the row. Commits.

    Omitted members are filled in under the enrollment's lock. Idempotent by `event_id`. Raises NotFoundError if the
    enrollment or the row does not exist, InputError for times out of range and contradictory changes, and ConflictError
    if the event id belongs to another event or to a correction with other changes.
    """
    with engine.begin() as connection:
        _lock(connection, key)
        row = _existing(connection, key)
        now = clock(connection)
        if event_id is not None and _is_recorded(connection, key, changes, now, event_id):
            return row
        wanted = _consistent(key, Progress(row.status, row.last_viewed_at, row.completed_at), changes, now)
        _correct(connection, wanted, now, event_id)
        return _existing(connection, key)


def mark_lesson(
    engine: Engine, action: LessonAction, activity: LessonActivity, occurred_at: datetime | None, event_id: str | None
) -> StoredProgress:
    """Record that a learner viewed or completed a lesson; return its row. Idempotent by event identity; commits.

    Without a time it happened now by PostgreSQL's clock, read under the enrollment's lock, and after any correction.
    Raises NotFoundError for an unknown enrollment, InputError for a time out of range, and ConflictError if the
    identity belongs to another event.
    """
    key = (activity.user_course_id, activity.topic_id, activity.lesson_id)
    with engine.begin() as connection:
        _lock(connection, key)
        now, time = ledger_lookups.present(connection, key)
        event = lesson_event(action, activity, occurred_at, event_id, now=now, by_default=time)
        _record(connection, event)
        return _existing(connection, key)


def _lock(connection: Connection, key: LessonKey) -> None:
    try:
        is_enrolled = enrollments.wait_for_enrollment(connection, key[0])
    except OperationalError as error:
        if is_lock_timeout(error):
            raise LockedError(f"Another session has enrollment {key[0]} locked. Try again.") from None
        raise
    if not is_enrolled:
        raise unknown_enrollment(key[0])


def _existing(connection: Connection, key: LessonKey) -> StoredProgress:
    is_enrolled, row = find_progress(connection, key)
    if not is_enrolled:
        raise unknown_enrollment(key[0])
    if row is None:
        raise NotFoundError(
            f"Enrollment {key[0]} has no row for topic {key[1]}, lesson {key[2]}. "
            "Create it with POST /progress/ or by viewing the lesson."
        )
    return row


def _is_recorded(connection: Connection, key: LessonKey, changes: Changes, now: datetime, event_id: str) -> bool:
    """Return whether this correction is in the ledger. Raises ConflictError if its identity is another event's."""
    first = ledger_lookups.find_event(connection, (key[0], identity(SOURCE, valid_event_id(event_id))))
    if first is None:
        return False
    if (
        (first.topic_id, first.lesson_id) != key[1:]
        or not first.snapshot
        or not repeats(first.snapshot, changes, now, latest_clock(now))
    ):
        raise _conflict(event_id, key[0], first)
    return True


def _consistent(key: LessonKey, row: Progress, changes: Changes, now: datetime) -> Correction:
    """Return the correction that the changes make of the row."""
    user_course_id, topic_id, lesson_id = key
    try:
        wanted = corrected(row, changes, now, latest_clock(now))
        return Correction(
            user_course_id=user_course_id,
            topic_id=topic_id,
            lesson_id=lesson_id,
            status=wanted.status,
            last_viewed_at=wanted.last_viewed_at,
            completed_at=wanted.completed_at,
        )
    except Rejection as refused:
        raise InputError(refused.detail) from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"{problem['loc'][0]}: {problem['msg']}") from None


def _correct(connection: Connection, wanted: Correction, now: datetime, event_id: str | None) -> None:
    """Record the correction, dated after everything known of the lesson. The enrollment must be locked."""
    key = (wanted.user_course_id, wanted.topic_id, wanted.lesson_id)
    known = filter(None, (ledger_lookups.latest_time(connection, key), wanted.last_viewed_at, wanted.completed_at))
    time = correction_time(now, max(known, default=None))
    event = ProgressCorrected(id=valid_event_id(event_id), source=SOURCE, time=time, data=wanted)
    _record(connection, event)


def _record(connection: Connection, event: LedgerEvent) -> None:
    user_course_id = event.data.user_course_id
    outcome = apply(connection, Batch(ledger_events=[(_NO_ENTRY, event)], user_course_ids={user_course_id}))
    reasons = {letter.reason for letter in outcome.dead_letters}
    if Reason.UNKNOWN_ENROLLMENT in reasons:
        raise unknown_enrollment(user_course_id)
    if Reason.IDENTITY_CONFLICT in reasons:
        raise _conflict(
            event.id, user_course_id, ledger_lookups.find_event(connection, (user_course_id, event.event_id))
        )


def _conflict(event_id: str, user_course_id: int, first: ledger_lookups.RecordedEvent | None) -> ConflictError:
    what = f": lesson {first.lesson_id} of topic {first.topic_id} was {first.type}" if first else ""
    return ConflictError(
        f"The event {event_id} of enrollment {user_course_id} has already been recorded{what}. "
        "Nothing was changed; use a new id for another event."
    )
