"""What both forms of Canvas's events become, and whose events do not count."""

from datetime import datetime

from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.xapi_statement import JsonObject, text_of
from worker.contract.connection import Connection
from worker.contract.named_event import (
    NamedEnrollment,
    NamedEnrollmentCreated,
    NamedLesson,
    NamedLessonCompleted,
    NamedLessonViewed,
)

_STUDENT = "StudentEnrollment"
_TEST_STUDENT = "StudentView"
"""The beginning of the role of the student that a teacher becomes to see the course as one."""
_NO_LONGER = frozenset({"deleted", "inactive", "rejected", "completed"})


def enrols(role: str) -> bool:
    """Return whether the role shows a learner; without a role, as of requests to the API, nothing is known.

    Raises Ignored: `test_user`, `staff`.
    """
    require_student(role)
    return role == _STUDENT


def require_student(role: str) -> None:
    """Raise Ignored, `test_user` or `staff`, for any role but a student's and none."""
    if role.startswith(_TEST_STUDENT):
        raise Ignored("test_user")
    if role not in {_STUDENT, ""}:
        raise Ignored("staff")


def require_enrolled_student(enrollment: JsonObject) -> None:
    """Raise Ignored, also `unenrolment`, unless this is a student's enrollment that is or will be in force."""
    role = text_of(enrollment.get("type"))
    if not role:
        raise Rejected("missing_member", "The enrollment has no type, such as StudentEnrollment")
    require_student(role)
    if text_of(enrollment.get("workflow_state")) in _NO_LONGER:
        raise Ignored("unenrolment")


def viewed(
    event_id: str, time: datetime, learner: str, course: str, lesson: str, enrols: bool, connection: Connection
) -> NamedLessonViewed:
    """Return the view of a lesson."""
    data = NamedLesson(learner=learner, course=course, lesson=lesson, enrols=enrols)
    return NamedLessonViewed(id=event_id, source=connection.name, time=time, data=data)


def completed(
    event_id: str, time: datetime, learner: str, course: str | None, lesson: str, connection: Connection
) -> NamedLessonCompleted:
    """Return the completion of a lesson; many submissions do not tell their course."""
    data = NamedLesson(learner=learner, course=course, lesson=lesson)
    return NamedLessonCompleted(id=event_id, source=connection.name, time=time, data=data)


def enrolled(
    event_id: str, time: datetime, learner: str, course: str, connection: Connection
) -> NamedEnrollmentCreated:
    """Return the enrollment."""
    data = NamedEnrollment(learner=learner, course=course, timezone=connection.timezone or "UTC")
    return NamedEnrollmentCreated(id=event_id, source=connection.name, time=time, data=data)


def no_learner() -> Rejected:
    """Return the verdict on an event without the learner's id."""
    return Rejected("no_learner", "The event has no id of a user")


def no_course() -> Rejected:
    """Return the verdict on an event without the course's id."""
    return Rejected("no_course", "The event has no id of a course")


def no_lesson() -> Rejected:
    """Return the verdict on an event without the id of an asset, assignment or quiz."""
    return Rejected("no_lesson", "The event has no id of an asset, assignment or quiz")
