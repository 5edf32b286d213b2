"""The contract: the five event types as CloudEvents 1.0, with their exact limits.

`docs/asyncapi.json` is generated from these models; a publisher in any language builds against that document.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from worker.contract.identity import identity, is_identity
from worker.contract.member import DropIfBad, Duration, Id32, Id64, Sequence, Text, Time, Timezone
from worker.contract.progress_status import ProgressStatus

MAX_EVENT_CHARACTERS = 64 * 1024
MAX_OUTLINE_CHARACTERS = 1024 * 1024


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LessonActivity(_Model):
    """What a learner did: which lesson of which enrollment."""

    user_course_id: Id64
    topic_id: Id32
    lesson_id: Id32
    section_id: Annotated[Id32 | None, DropIfBad] = None
    duration_seconds: Annotated[Duration | None, DropIfBad] = Field(
        None, description="Time spent that this event reports, in whole seconds, ending at `time`."
    )


class Enrollment(_Model):
    """Who takes which course."""

    user_course_id: Id64
    user_id: Id64
    course_id: Id64
    timezone: Timezone = Field(
        "UTC",
        description="A name of the tz database, spelled as there, for days and hours in the analytics; "
        "null means UTC, and so does an unknown name, which counts as not sent.",
    )


class LessonPlace(_Model):
    """Where a lesson was in an earlier outline."""

    topic_id: Id32
    lesson_id: Id32


def _none_if_empty(places: Any) -> Any:
    return places or None


class OutlineLesson(_Model):
    """One lesson of an outline."""

    topic_id: Id32
    lesson_id: Id32
    title: Annotated[Text | None, DropIfBad] = None
    moved_from: Annotated[tuple[LessonPlace, ...] | None, AfterValidator(_none_if_empty), DropIfBad] = Field(
        None,
        description="Where the lesson was before: what learners did there counts for it. "
        "Not a place that the outline lists itself.",
    )


class Outline(_Model):
    """A course's whole live outline, in order; may be empty."""

    course_id: Id64
    lessons: Annotated[tuple[OutlineLesson, ...], FailFast()]  # or a megabyte of mistakes takes seconds to tell

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({(lesson.topic_id, lesson.lesson_id) for lesson in self.lessons}) < len(self.lessons):
            raise PydanticCustomError("lesson_repeated", "A (topic_id, lesson_id) pair appears twice in the outline")
        return self


class Correction(_Model):
    """A whole snapshot of one progress row; every member is required, the times may be null."""

    user_course_id: Id64
    topic_id: Id32
    lesson_id: Id32
    status: ProgressStatus
    last_viewed_at: Time | None
    completed_at: Time | None


def _refuse_no_identity(id: str) -> str:  # noqa: A002 - the member's name
    if is_identity(id):
        return id
    raise PydanticCustomError("no_identity", "The nil and the max UUID are no identity: each event needs its own id")


class CloudEvent(_Model):
    """The CloudEvents 1.0 members that every event carries."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1), AfterValidator(_refuse_no_identity)]
    source: Annotated[str, Field(min_length=1)]
    time: Annotated[Time, Field(description="When it happened; an offset is required.")]
    sequence: Annotated[Sequence | None, DropIfBad] = Field(
        None,
        description="Decides between events of one `time`: the greater is the later, none comes first. Compared byte "
        "by byte; whole numbers, and strings of digits, are padded to 20 digits and so go by their value.",
    )

    @property
    def event_id(self) -> str:
        """The identity as a UUID string."""
        return identity(self.source, self.id)


class _LessonEvent(CloudEvent):
    untimed: Annotated[Annotated[bool, Field(strict=True)] | None, DropIfBad] = Field(
        None,
        description="`true`: nobody told when it happened, and `time` is when it was sent. "
        "Sent again, it is the same event whatever its `time`.",
    )


class LessonViewed(_LessonEvent):
    """A learner opened a lesson."""

    type: Literal["lesson.viewed"] = "lesson.viewed"
    data: LessonActivity


class LessonCompleted(_LessonEvent):
    """A learner completed a lesson; this is an access too."""

    type: Literal["lesson.completed"] = "lesson.completed"
    data: LessonActivity


class EnrollmentCreated(CloudEvent):
    """A learner was enrolled, or an enrollment's details changed."""

    type: Literal["enrollment.created"] = "enrollment.created"
    data: Enrollment


class CourseOutlined(CloudEvent):
    """A course's live outline became this one."""

    type: Literal["course.outlined"] = "course.outlined"
    data: Outline


class ProgressCorrected(CloudEvent):
    """A progress row was set by hand; later events merge onto it."""

    type: Literal["progress.corrected"] = "progress.corrected"
    data: Correction


LessonEvent = LessonViewed | LessonCompleted
LedgerEvent = LessonEvent | ProgressCorrected
Event = LessonViewed | LessonCompleted | EnrollmentCreated | CourseOutlined | ProgressCorrected
EVENT_TYPES: tuple[type[CloudEvent], ...] = (
    LessonViewed,
    LessonCompleted,
    EnrollmentCreated,
    CourseOutlined,
    ProgressCorrected,
)
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def partition_key(data: Any) -> int | None:
    """The id that chooses an event's partition, from its `data` member as parsed JSON; None where it names none.

    The enrollment, or for an outline the course. Takes what may be invalid: the consumer, not the publisher, judges.
    """
    if not isinstance(data, dict):
        return None
    key = data.get("user_course_id", data.get("course_id"))
    return key if isinstance(key, int) and not isinstance(key, bool) else None
