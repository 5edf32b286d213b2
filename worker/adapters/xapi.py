"""Translate statements of xAPI, as Moodle, Open edX, cmi5 and H5P players and LRSs send them."""

import re
from collections.abc import Iterator
from datetime import datetime

from worker.adapters.durations import read_duration
from worker.adapters.names import hashed_id, to_name
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.times import read_time
from worker.adapters.xapi_learner import learner_of
from worker.adapters.xapi_lesson import PLATFORMS, Lesson, course_of, lesson_of
from worker.adapters.xapi_statement import Statement, extension, object_of, read_statement, text_of
from worker.adapters.xapi_verbs import (
    COMPLETED,
    ENROLLED,
    MARKED_COMPLETION,
    PASSED,
    PROGRESSED,
    SATISFIED,
    UNCOMPLETED,
    UNENROLLED,
    VIEWED,
    VOIDED,
)
from worker.contract.connection import Connection
from worker.contract.identity import is_identity
from worker.contract.named_event import (
    NamedEnrollment,
    NamedEnrollmentCreated,
    NamedEvent,
    NamedLesson,
    NamedLessonCompleted,
    NamedLessonEvent,
    NamedLessonReopened,
    NamedLessonViewed,
)

_NOT_ACTIVITIES = frozenset({"Agent", "Group", "SubStatement", "StatementRef"})
_UUID = re.compile(r"(?:urn:uuid:)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_NOT_REPEATED = frozenset({"stored", "authority", "version"})
"""What an LRS adds to a statement."""


def split(document: object) -> Iterator[object]:
    """Return the statements of a body or file: an object, an array, an LRS's result, or Learning Locker's wrapper."""
    if isinstance(document, dict) and "verb" not in document and isinstance(document.get("statements"), list):
        document = document["statements"]
    for each in document if isinstance(document, list) else [document]:
        yield _without_wrapper(each)


def _without_wrapper(record: object) -> object:
    if isinstance(record, dict) and "verb" not in record and isinstance(record.get("statement"), dict):
        return record["statement"]
    return record


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event of a statement; see `worker.adapters.translation.Translate`."""
    statement = read_statement(record)
    if statement.verb == VOIDED:
        raise Rejected("voiding", "A statement is to be void. Correct the learner's progress by hand")
    if text_of(statement.object.get("objectType")) in _NOT_ACTIVITIES:
        raise Ignored("object")
    if statement.verb == SATISFIED:
        raise Ignored("course_level")
    learner = learner_of(statement.actor, of_moodle=statement.moodle_event is not None)
    lesson = lesson_of(statement, connection)
    if not lesson:
        return [_enrollment(statement, learner, connection, arrived)]
    event_type = _event_type(statement, lesson)
    course = course_of(statement, lesson.name)
    time, is_untimed = _time(statement, connection, arrived)
    data = NamedLesson(
        learner=learner,
        lesson=to_name(lesson.name),
        course=to_name(course) if course else None,
        duration_seconds=read_duration(statement.result.get("duration")),
    )
    members = {"id": _id(statement), "source": connection.name, "time": time, "data": data}
    return [event_type.model_validate(members | ({"untimed": True} if is_untimed else {}))]


def _enrollment(
    statement: Statement, learner: str, connection: Connection, arrived: datetime
) -> NamedEnrollmentCreated:
    if statement.verb in UNENROLLED:
        raise Ignored("unenrolment")
    if statement.verb not in ENROLLED:
        raise Ignored("course_level")
    course = to_name(statement.activity.canonical.name)
    zone = connection.timezone or "UTC"
    time, is_untimed = _time(statement, connection, arrived)
    data = NamedEnrollment(learner=learner, course=course, timezone=zone)
    return NamedEnrollmentCreated(
        id=_id(statement), source=connection.name, time=time, untimed=is_untimed or None, data=data
    )


def _event_type(statement: Statement, lesson: Lesson) -> type[NamedLessonEvent]:
    """Return what a statement about the lesson means. Raises Ignored, `verb` and `not_a_lesson`.

    Senders take other steps of a lesson for its completion, so parts never complete a lesson, and Moodle's plugin only
    by the event that means it.
    """
    claimed = _claimed_type(statement, lesson)
    if statement.activity.kind_of_type in PLATFORMS:
        raise Ignored("not_a_lesson")
    if lesson.is_part:
        return NamedLessonViewed
    if claimed is NamedLessonCompleted and (event := statement.moodle_event) is not None:
        is_completion = event.endswith("course_module_completion_updated")
        return claimed if is_completion and statement.result.get("success") is not False else NamedLessonViewed
    return claimed


def _claimed_type(statement: Statement, lesson: Lesson) -> type[NamedLessonEvent]:
    verb, result = statement.verb, statement.result
    completion = result.get("completion")
    if verb == UNCOMPLETED:
        return NamedLessonReopened
    if verb == MARKED_COMPLETION:
        return NamedLessonCompleted if completion is True else NamedLessonReopened
    if verb in COMPLETED:
        is_denied = completion is False or (verb == PASSED and result.get("success") is False)
        return NamedLessonViewed if is_denied else NamedLessonCompleted
    if completion is True and not lesson.is_part:
        return NamedLessonCompleted
    if verb == PROGRESSED and completion is False and _is_no_progress(result):
        return NamedLessonReopened
    if verb in VIEWED:
        return NamedLessonViewed
    raise Ignored("verb")


def _is_no_progress(result: dict[str, object]) -> bool:
    """Open edX takes a completion back so."""
    progress = extension(object_of(result.get("extensions")), "/extensions/progress")
    return isinstance(progress, int | float) and not isinstance(progress, bool) and progress == 0


def _time(statement: Statement, connection: Connection, arrived: datetime) -> tuple[datetime, bool]:
    """Return the statement's time, else that of its arrival, and whether it is the latter."""
    for member in ("timestamp", "stored"):
        if (value := statement.members.get(member)) not in (None, ""):
            return read_time(value, connection, arrived), False
    return arrived, True


def _id(statement: Statement) -> str:
    value = statement.members.get("id")
    if isinstance(value, str) and value:
        if match := _UUID.fullmatch(value):
            value = match[1].lower()
        if is_identity(value):
            return to_name(value)
    repeated = {member: value for member, value in statement.members.items() if member not in _NOT_REPEATED}
    return hashed_id(["xapi", repeated])
