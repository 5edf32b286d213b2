"""Make events: one typed method for each event type, checked before anything is published."""

import math
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar, Unpack, overload
from uuid import uuid4

from pydantic import ValidationError

from worker.contract.entry import Rejection
from worker.contract.event import (
    CourseOutlined,
    EnrollmentCreated,
    Event,
    LessonCompleted,
    LessonReopened,
    LessonViewed,
    ProgressCorrected,
)
from worker.contract.named_event import (
    NamedCourseOutlined,
    NamedEnrollmentCreated,
    NamedEvent,
    NamedLessonCompleted,
    NamedLessonReopened,
    NamedLessonViewed,
)
from worker.contract.parse import parse
from worker.contract.progress_status import ProgressStatus
from worker.errors import InputError
from worker.event_arguments import (
    ActivityNames,
    ActivityNumbers,
    EnrollmentNames,
    EnrollmentNumbers,
    LessonNames,
    LessonNumbers,
    OutlineNames,
    OutlineNumbers,
    are_names,
)

Result = TypeVar("Result")
_UNTIMED = LessonViewed | LessonCompleted | NamedLessonViewed | NamedLessonCompleted


class EventMethods(ABC, Generic[Result]):
    """A method for each event type, which makes the event and hands it on: `EventPublisher` publishes it.

    `occurred_at` is when it happened, a datetime with an offset, by default now; `event_id` is the event's id, by
    default a new UUID. To be able to make the *same* event again after an error, give both.

    Learner, course and lesson are either numbers, `user_course_id` and so on, or the names that the LMS has for them,
    strings of up to 1,024 bytes. Names belong to the source; with another one they mean other learners and lessons.

    Raises TypeError for an unknown or missing argument, or names and numbers in one call, and worker.errors.InputError
    for an argument of a wrong type or out of range, or an event that is too large. Nothing is published then.
    """

    def __init__(self, source: str) -> None:
        """`source` names the publisher in each event, such as /my-lms; for names it is the connection's name."""
        self._source = source

    @abstractmethod
    def _take(self, event: Event | NamedEvent) -> Result:
        """Do with the new event what this class is for."""

    @overload
    def lesson_viewed(self, **arguments: Unpack[ActivityNumbers]) -> Result: ...
    @overload
    def lesson_viewed(self, **arguments: Unpack[ActivityNames]) -> Result: ...
    def lesson_viewed(self, **arguments: Any) -> Result:
        """A learner viewed a lesson, for `duration_seconds` up to `occurred_at`.

        With names, `course` may be left out if the lesson is known in one course only; `enrols=False` says that this
        does not make the person a learner of the course.

        An invalid section, topic or duration counts as missing. Without `occurred_at`, a repeated `event_id` is the
        same event whenever it is sent.
        """
        named = are_names("lesson_viewed", arguments, ActivityNumbers, ActivityNames)
        return self._make(NamedLessonViewed if named else LessonViewed, arguments)

    @overload
    def lesson_completed(self, **arguments: Unpack[ActivityNumbers]) -> Result: ...
    @overload
    def lesson_completed(self, **arguments: Unpack[ActivityNames]) -> Result: ...
    def lesson_completed(self, **arguments: Any) -> Result:
        """A learner completed a lesson, which is also a view; otherwise like `lesson_viewed`."""
        named = are_names("lesson_completed", arguments, ActivityNumbers, ActivityNames)
        return self._make(NamedLessonCompleted if named else LessonCompleted, arguments)

    @overload
    def lesson_reopened(self, **arguments: Unpack[LessonNumbers]) -> Result: ...
    @overload
    def lesson_reopened(self, **arguments: Unpack[LessonNames]) -> Result: ...
    def lesson_reopened(self, **arguments: Any) -> Result:
        """A lesson is no longer completed; events in it at or before `occurred_at` are then ignored."""
        named = are_names("lesson_reopened", arguments, LessonNumbers, LessonNames)
        return self._make(NamedLessonReopened if named else LessonReopened, arguments)

    @overload
    def enrollment_created(self, **arguments: Unpack[EnrollmentNumbers]) -> Result: ...
    @overload
    def enrollment_created(self, **arguments: Unpack[EnrollmentNames]) -> Result: ...
    def enrollment_created(self, **arguments: Any) -> Result:
        """A learner was enrolled, or their enrollment changed. The latest `occurred_at` wins.

        `timezone` is a name in the tz database, such as Europe/Berlin; None or an unknown one means UTC.
        """
        named = are_names("enrollment_created", arguments, EnrollmentNumbers, EnrollmentNames)
        return self._make(NamedEnrollmentCreated if named else EnrollmentCreated, arguments)

    @overload
    def course_outlined(self, **arguments: Unpack[OutlineNumbers]) -> Result: ...
    @overload
    def course_outlined(self, **arguments: Unpack[OutlineNames]) -> Result: ...
    def course_outlined(self, **arguments: Any) -> Result:
        """A course got this complete outline, its live lessons in order. The latest `occurred_at` wins.

        Each lesson has `topic_id`, `lesson_id` and optionally `title` and `moved_from`, its earlier places; or `lesson`
        and optionally `topic`, `title` and `aliases`, the lesson's other names.
        """
        named = are_names("course_outlined", arguments, OutlineNumbers, OutlineNames)
        arguments["lessons"] = tuple(arguments["lessons"])
        return self._make(NamedCourseOutlined if named else CourseOutlined, arguments)

    def progress_corrected(
        self,
        *,
        user_course_id: int,
        topic_id: int,
        lesson_id: int,
        status: ProgressStatus | Literal["not_started", "in_progress", "completed"],
        last_viewed_at: datetime | None,
        completed_at: datetime | None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> Result:
        """A lesson's progress was set by hand to exactly this; events at or before `occurred_at` are then ignored."""
        arguments: dict[str, Any] = {
            "user_course_id": user_course_id,
            "topic_id": topic_id,
            "lesson_id": lesson_id,
            "status": status,
            "last_viewed_at": last_viewed_at,
            "completed_at": completed_at,
            "occurred_at": occurred_at,
            "event_id": event_id,
        }
        return self._make(ProgressCorrected, arguments)

    def _make(self, kind: type[Event] | type[NamedEvent], arguments: dict[str, Any]) -> Result:
        event_id, occurred_at = arguments.pop("event_id", None), arguments.pop("occurred_at", None)
        members = {
            "id": str(uuid4()) if event_id is None else event_id,
            "source": self._source,
            "time": datetime.now(UTC) if occurred_at is None else occurred_at,
            "data": arguments,
        }
        if occurred_at is None and issubclass(kind, _UNTIMED):
            members["untimed"] = True
        try:
            event = kind.model_validate(members)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            member = ".".join(map(str, problem["loc"]))
            raise InputError(f"The event would be refused: {member}: {problem['msg']}.") from None
        try:
            parse(event.to_json(), math.inf)  # any time goes, because only a worker can compare it with its arrival
        except Rejection as refused:
            raise InputError(f"The event would be refused: {refused.detail}.") from None
        return self._take(event)


class EventFactory(EventMethods[Event | NamedEvent]):
    """Makes events without publishing them, such as for an outbox; each method returns the event.

    Store its `to_json()` in the transaction that it belongs to. Later publish `json.loads` of that, as often as it
    takes: it is the same event.
    """

    def _take(self, event: Event | NamedEvent) -> Event | NamedEvent:
        return event
