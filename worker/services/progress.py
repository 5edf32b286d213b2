"""One lesson of one enrolment: read its row, make it, set it by hand, mark it viewed or completed.

What is written goes through the ledger like an event from a stream, so a rebuild makes the same rows. The one exception
is a row that is not started, which stands for no event.
"""

from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from pydantic import ValidationError
from sqlalchemy import Connection, Engine

from worker.domain.correction import Changes, corrected, correction_time
from worker.domain.entry import Entry, Rejection, refuse_ahead
from worker.domain.event import (
    Correction,
    LedgerEvent,
    LessonActivity,
    LessonCompleted,
    LessonEvent,
    LessonViewed,
    ProgressCorrected,
)
from worker.domain.progress import LessonKey, Progress
from worker.errors import ConflictError, InputError, NotFoundError
from worker.services.ingest import Batch, apply
from worker.services.summary import unknown_enrollment
from worker.storage import enrollment, history
from worker.storage.progress import StoredProgress, find_progress, insert_blank

SOURCE = "progress-api"
"""The `source` of the events made here; an event id that is no UUID is unique together with it."""

_NO_ENTRY = Entry("", "", None)
"""These events come from no stream."""


def get_progress(engine: Engine, key: LessonKey) -> StoredProgress:
    """The row of a lesson. Raises NotFoundError where there is no enrolment or no row."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return _existing(connection, key)


def create_progress(
    engine: Engine, key: LessonKey, changes: Changes, event_id: str | None = None
) -> tuple[StoredProgress, bool]:
    """The row of a lesson, and whether it was made now; one that is there stays as it is. Idempotent; commits.

    A row that is not started and has no times is made blank, any other as a correction. Raises NotFoundError where
    there is no enrolment, and InputError for changes that contradict each other.
    """
    with engine.begin() as connection:
        _lock(connection, key)
        _, found = find_progress(connection, key)
        if found is not None:
            return found, False
        now = datetime.now(UTC)
        wanted = _consistent(Progress(), changes, now)
        if wanted == Progress():
            insert_blank(connection, key)
        else:
            _correct(connection, key, wanted, now, event_id)
        return _existing(connection, key), True


def update_progress(engine: Engine, key: LessonKey, changes: Changes, event_id: str | None = None) -> StoredProgress:
    """Set what is given, as a correction that rules over everything known of the lesson; the row. Commits.

    What is omitted is filled in under the enrolment's lock. Idempotent by `event_id`. Raises NotFoundError where there
    is no enrolment or no row, InputError for changes that contradict each other, and ConflictError where the event id
    belongs to something else.
    """
    with engine.begin() as connection:
        _lock(connection, key)
        row = _existing(connection, key)
        now = datetime.now(UTC)
        wanted = _consistent(Progress(row.status, row.last_viewed_at, row.completed_at), changes, now)
        _correct(connection, key, wanted, now, event_id)
        return _existing(connection, key)


def mark_lesson(engine: Engine, event: LessonEvent) -> StoredProgress:
    """Record that a learner viewed or completed a lesson; its row. Idempotent by the event's identity; commits.

    Raises NotFoundError where there is no enrolment, and ConflictError where the identity belongs to something else.
    """
    with engine.begin() as connection:
        _record(connection, event)
        return _existing(connection, (event.data.user_course_id, event.data.topic_id, event.data.lesson_id))


def lesson_event(
    kind: Literal["viewed", "completed"], activity: LessonActivity, occurred_at: datetime | None, event_id: str | None
) -> LessonEvent:
    """The event that a learner did this, by default now and once more each time. Raises InputError for its time."""
    model = LessonViewed if kind == "viewed" else LessonCompleted
    now = datetime.now(UTC)
    try:
        event = model(id=event_id or str(uuid4()), source=SOURCE, time=occurred_at or now, data=activity)
        refuse_ahead(event.time, now.timestamp() * 1000)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"occurred_at: {problem['msg']}") from None
    except Rejection as refused:
        raise InputError(f"occurred_at: {refused.detail}") from None
    return event


def _lock(connection: Connection, key: LessonKey) -> None:
    if not enrollment.lock_enrollments(connection, [key[0]]):
        raise unknown_enrollment(key[0])


def _existing(connection: Connection, key: LessonKey) -> StoredProgress:
    is_enrolled, row = find_progress(connection, key)
    if not is_enrolled:
        raise unknown_enrollment(key[0])
    if row is None:
        raise NotFoundError(
            f"Enrolment {key[0]} has no row for topic {key[1]}, lesson {key[2]}: it is not started. "
            "POST /progress/ makes one; so does viewing the lesson."
        )
    return row


def _consistent(row: Progress, changes: Changes, now: datetime) -> Progress:
    try:
        return corrected(row, changes, now)
    except Rejection as refused:
        raise InputError(refused.detail) from None


def _correct(connection: Connection, key: LessonKey, wanted: Progress, now: datetime, event_id: str | None) -> None:
    """Record the snapshot as the ruling correction. The enrolment must be locked."""
    user_course_id, topic_id, lesson_id = key
    known = filter(None, (history.latest_time(connection, key), wanted.last_viewed_at, wanted.completed_at))
    event = ProgressCorrected(
        id=event_id or str(uuid4()),
        source=SOURCE,
        time=correction_time(now, max(known, default=None)),
        data=Correction(
            user_course_id=user_course_id,
            topic_id=topic_id,
            lesson_id=lesson_id,
            status=wanted.status,
            last_viewed_at=wanted.last_viewed_at,
            completed_at=wanted.completed_at,
        ),
    )
    _record(connection, event)


def _record(connection: Connection, event: LedgerEvent) -> None:
    outcome = apply(connection, Batch(ledger_events=[(_NO_ENTRY, event)], user_course_ids={event.data.user_course_id}))
    if outcome.letters:
        raise unknown_enrollment(event.data.user_course_id)
    if outcome.repeated:
        _must_be_the_same(connection, event)


def _must_be_the_same(connection: Connection, event: LedgerEvent) -> None:
    """Raise ConflictError unless the event recorded under this identity says the same of the same lesson.

    But for the time: sent again without one, an event has another.
    """
    data = event.data
    first = history.find_event(connection, (data.user_course_id, event.event_id))
    details: tuple[int | None, int | None] = (None, None)
    if not isinstance(event, ProgressCorrected):
        details = (event.data.section_id, event.data.duration_seconds)
    said = (event.type.rpartition(".")[2], data.topic_id, data.lesson_id, *details)
    if first and (first.type, first.topic_id, first.lesson_id, first.section_id, first.duration_seconds) != said:
        raise ConflictError(
            f"The event {event.id} of enrolment {data.user_course_id} is recorded already: lesson {first.lesson_id} of "
            f"topic {first.topic_id} was {first.type}. Nothing was changed; send another event with an id of its own."
        )
