"""Make events: one typed method for each event type, checked before anything is published."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import uuid4

from pydantic import ValidationError

from worker.contract.entry import Rejection
from worker.contract.event import (
    CourseOutlined,
    EnrollmentCreated,
    Event,
    LessonCompleted,
    LessonViewed,
    OutlineLesson,
    ProgressCorrected,
)
from worker.contract.parse import parse
from worker.contract.progress_status import ProgressStatus
from worker.errors import InputError

Result = TypeVar("Result")


class EventMethods(ABC, Generic[Result]):
    """A method for each event type, which makes the event and hands it on: `EventPublisher` publishes it.

    `occurred_at` is when it happened, a datetime with an offset, by default now; `event_id` is the event's id, by
    default a new UUID. To be able to make the *same* event again after an error, give both.

    Raises TypeError for an unknown or missing argument, and worker.errors.InputError for one of a wrong type or out of
    range, or an event that is too large. Nothing is published then.
    """

    def __init__(self, source: str) -> None:
        """`source` names the publisher in each event, such as /my-lms."""
        self._source = source

    @abstractmethod
    def _take(self, event: Event) -> Result:
        """Do with the new event what this class is for."""

    def lesson_viewed(
        self,
        *,
        user_course_id: int,
        topic_id: int,
        lesson_id: int,
        section_id: int | None = None,
        duration_seconds: float | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> Result:
        """A learner viewed a lesson, for `duration_seconds` up to `occurred_at`.

        An invalid section or duration counts as missing. Without `occurred_at`, a repeated `event_id` is the same event
        whenever it is sent.
        """
        data = _lesson(user_course_id, topic_id, lesson_id, section_id, duration_seconds)
        return self._make(LessonViewed, data, occurred_at, event_id)

    def lesson_completed(
        self,
        *,
        user_course_id: int,
        topic_id: int,
        lesson_id: int,
        section_id: int | None = None,
        duration_seconds: float | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> Result:
        """A learner completed a lesson, which is also a view; otherwise like `lesson_viewed`."""
        data = _lesson(user_course_id, topic_id, lesson_id, section_id, duration_seconds)
        return self._make(LessonCompleted, data, occurred_at, event_id)

    def enrollment_created(
        self,
        *,
        user_course_id: int,
        user_id: int,
        course_id: int,
        timezone: str | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> Result:
        """A learner was enrolled, or their enrollment changed. The latest `occurred_at` wins.

        `timezone` is a name in the tz database, such as Europe/Berlin; None or an unknown one means UTC.
        """
        data = {"user_course_id": user_course_id, "user_id": user_id, "course_id": course_id, "timezone": timezone}
        return self._make(EnrollmentCreated, data, occurred_at, event_id)

    def course_outlined(
        self,
        *,
        course_id: int,
        lessons: Iterable[OutlineLesson | Mapping[str, Any]],
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> Result:
        """A course got this complete outline, its live lessons in order. The latest `occurred_at` wins.

        Each lesson has `topic_id`, `lesson_id` and optionally `title` and `moved_from`, its earlier places.
        """
        return self._make(CourseOutlined, {"course_id": course_id, "lessons": tuple(lessons)}, occurred_at, event_id)

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
        data = {
            "user_course_id": user_course_id,
            "topic_id": topic_id,
            "lesson_id": lesson_id,
            "status": status,
            "last_viewed_at": last_viewed_at,
            "completed_at": completed_at,
        }
        return self._make(ProgressCorrected, data, occurred_at, event_id)

    def _make(
        self, kind: type[Event], data: Mapping[str, Any], occurred_at: datetime | None, event_id: str | None
    ) -> Result:
        members = {
            "id": str(uuid4()) if event_id is None else event_id,
            "source": self._source,
            "time": datetime.now(UTC) if occurred_at is None else occurred_at,
            "data": data,
        }
        if occurred_at is None and issubclass(kind, LessonViewed | LessonCompleted):
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


class EventFactory(EventMethods[Event]):
    """Makes events without publishing them, such as for an outbox; each method returns the event.

    Store its `to_json()` in the transaction that it belongs to. Later publish `json.loads` of that, as often as it
    takes: it is the same event.
    """

    def _take(self, event: Event) -> Event:
        return event


def _lesson(
    user_course_id: int, topic_id: int, lesson_id: int, section_id: int | None, duration_seconds: float | None
) -> dict[str, Any]:
    return {
        "user_course_id": user_course_id,
        "topic_id": topic_id,
        "lesson_id": lesson_id,
        "section_id": section_id,
        "duration_seconds": duration_seconds,
    }
