"""The contract's events in named form: learner, course and lesson by the names that the LMS has for them.

Names belong to the event's `source`, the connection. An event has names or numbers, never both; the member `learner`,
or `course` of an outline, tells them apart.
"""

from typing import Annotated, Any, Literal, Self
from zlib import crc32

from pydantic import BeforeValidator, FailFast, Field, TypeAdapter, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from worker.contract.event import CloudEvent, Members
from worker.contract.fast_path import DecodedNamedEvent
from worker.contract.value_types import DropIfBad, Duration, Name, Text, Timezone, drop_if_bad

NUMBERS = ("user_course_id", "user_id", "course_id", "topic_id", "lesson_id")
"""Members of the numbered form alone."""


class _Named(Members):
    @model_validator(mode="before")
    @classmethod
    def _refuse_numbers(cls, data: Any) -> Any:
        if isinstance(data, dict) and (mixed := [member for member in NUMBERS if member in data]):
            raise PydanticCustomError(
                "names_and_numbers", "An event has names or numbers, not both: {member}", {"member": mixed[0]}
            )
        return data


class NamedLesson(_Named):
    """A learner's activity in a lesson."""

    learner: Name
    lesson: Name
    course: Name | None = Field(
        None, description="Without it, the only course of the connection in which the lesson is known."
    )
    topic: Annotated[Name | None, DropIfBad] = Field(
        None, description="Counts when the lesson is named for the first time; the lesson then stays in it."
    )
    duration_seconds: Annotated[Duration | None, DropIfBad] = Field(
        None, description="Time spent, in whole seconds, ending at `time`."
    )
    enrols: Annotated[
        bool,
        Field(strict=True),
        BeforeValidator(lambda value: True if value is None else value, json_schema_input_type=bool | None),
        WrapValidator(drop_if_bad),
    ] = Field(True, description="Whether this shows that the person is a learner of the course.")


class NamedEnrollment(_Named):
    """A learner in a course."""

    learner: Name
    course: Name
    timezone: Timezone = Field("UTC", description="As in the numbered form.")


class NamedOutlineLesson(_Named):
    """One lesson of an outline. `aliases` are other names of the same lesson."""

    lesson: Name
    topic: Annotated[Name | None, DropIfBad] = None
    title: Annotated[Text | None, DropIfBad] = None
    aliases: Annotated[tuple[Name, ...] | None, DropIfBad] = None


class NamedOutline(_Named):
    """A course's complete live outline, in order; may be empty."""

    course: Name
    lessons: Annotated[tuple[NamedOutlineLesson, ...], FailFast()]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({each.lesson for each in self.lessons}) < len(self.lessons):
            raise PydanticCustomError("lesson_repeated", "The outline has a lesson twice")
        return self


class _NamedEvent(CloudEvent):
    source: Annotated[Name, Field(description="The connection: the scope of the names.")]


class _NamedTimelessEvent(_NamedEvent):
    untimed: Annotated[Annotated[bool, Field(strict=True)] | None, DropIfBad] = Field(
        None, description="As in the numbered form."
    )


class NamedLessonViewed(_NamedTimelessEvent):
    """A learner opened a lesson."""

    type: Literal["lesson.viewed"] = "lesson.viewed"
    data: NamedLesson


class NamedLessonCompleted(_NamedTimelessEvent):
    """A learner completed a lesson, which is also a view."""

    type: Literal["lesson.completed"] = "lesson.completed"
    data: NamedLesson


class NamedLessonReopened(_NamedEvent):
    """The LMS took back a lesson's completion, and with it all that happened in the lesson up to `time`."""

    type: Literal["lesson.reopened"] = "lesson.reopened"
    data: NamedLesson


class NamedEnrollmentCreated(_NamedTimelessEvent):
    """A learner was enrolled, or the time zone changed."""

    type: Literal["enrollment.created"] = "enrollment.created"
    data: NamedEnrollment


class NamedCourseOutlined(_NamedEvent):
    """A course got this live outline."""

    type: Literal["course.outlined"] = "course.outlined"
    data: NamedOutline


NamedLessonEvent = NamedLessonViewed | NamedLessonCompleted | NamedLessonReopened
NamedEvent = (
    NamedLessonViewed | NamedLessonCompleted | NamedLessonReopened | NamedEnrollmentCreated | NamedCourseOutlined
)
NAMED_EVENT_TYPES = (
    NamedLessonViewed,
    NamedLessonCompleted,
    NamedLessonReopened,
    NamedEnrollmentCreated,
    NamedCourseOutlined,
)
NAMED_EVENT: TypeAdapter[NamedEvent] = TypeAdapter(Annotated[NamedEvent, Field(discriminator="type")])


def is_named(event: Any) -> bool:
    """Return whether this parsed JSON means an event in named form, valid or not."""
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(data, dict):
        return False
    return "learner" in data or (
        event.get("type") == NamedCourseOutlined.model_fields["type"].default and "course" in data
    )


def partition_key_of(event: NamedEvent | DecodedNamedEvent) -> int:
    """Return `partition_key` of the event's data."""
    data = event.data
    return crc32((data.course if isinstance(data, NamedOutline) else data.learner).encode())
