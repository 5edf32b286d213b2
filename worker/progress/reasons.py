"""The dead letters that recording makes: why an entry was not applied, and what to do."""

from sqlalchemy.exc import DBAPIError

from worker.contract.batch import AwaitedLesson, Batch
from worker.contract.entry import Entry, Reason, Rejection
from worker.contract.event import CloudEvent, EnrollmentCreated
from worker.contract.fast_path import DecodedLessonEvent
from worker.database.failures import is_missing_reference, missing_reference
from worker.errors import first_line
from worker.progress.dead_letters import DeadLetter


def rejected(batch: Batch) -> list[DeadLetter]:
    """The batch's entries that the contract rejects, or whose lesson nothing has named yet."""
    return [DeadLetter(entry, rejection.reason, rejection.detail) for entry, rejection in batch.rejected] + [
        _unknown_lesson(entry, lesson) for entry, lesson in batch.unknown_lessons
    ]


def _unknown_lesson(entry: Entry, lesson: AwaitedLesson) -> DeadLetter:
    where = "in none or in several courses" if lesson.course_id is None else f"not in course {lesson.course_id}"
    detail = f"the lesson {lesson.key!a:.300} of {lesson.source!a:.100} is {where} yet: waits for an outline"
    return DeadLetter(entry, Reason.UNKNOWN_LESSON, Rejection(Reason.UNKNOWN_LESSON, detail).detail, lesson=lesson)


def unknown_enrollment(entry: Entry, user_course_id: int) -> DeadLetter:
    """The event is parked until its enrollment is created."""
    return DeadLetter(entry, Reason.UNKNOWN_ENROLLMENT, f"enrollment {user_course_id} is not known yet", user_course_id)


def identity_conflict(entry: Entry, event: CloudEvent | DecodedLessonEvent) -> DeadLetter:
    """The event's identity belongs to another event, which was recorded first."""
    return _dead_letter(
        entry,
        Reason.IDENTITY_CONFLICT,
        f"another event is recorded as {event.event_id} (id {event.id}): give each event an id of its own",
    )


def enrollment_conflict(entry: Entry, event: EnrollmentCreated) -> DeadLetter:
    """The enrollment's id belongs to another user's enrollment."""
    return _dead_letter(
        entry,
        Reason.ENROLLMENT_CONFLICT,
        f"enrollment {event.data.user_course_id} is another user's, not {event.data.user_id}'s: "
        "give a new enrollment an id of its own",
    )


def refused(entry: Entry, error: DBAPIError) -> DeadLetter:
    """PostgreSQL refused the entry. If it refers to a row that the LMS has not inserted yet, the sweep retries it."""
    if is_missing_reference(error):
        return _dead_letter(entry, Reason.UNKNOWN_REFERENCE, f"waits for the LMS: {missing_reference(error)}")
    return _dead_letter(entry, Reason.DATA_ERROR, first_line(error))


def _dead_letter(entry: Entry, reason: Reason, detail: str) -> DeadLetter:
    return DeadLetter(entry, reason, Rejection(reason, detail).detail)
