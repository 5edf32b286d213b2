"""The contract: six event types as CloudEvents 1.0, with their exact limits. `named_event` has their named forms.

`docs/asyncapi.json` is generated from these models. Publishers in any language build against that document.
"""

from typing import Annotated, Any, Literal, Self
from zlib import crc32

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from worker.contract.identity import identity, is_identity
from worker.contract.progress_status import ProgressStatus
from worker.contract.value_types import DropIfBad, Duration, Id32, Id64, Sequence, Text, Time, Timezone

MAX_EVENT_CHARACTERS = 64 * 1024
MAX_OUTLINE_CHARACTERS = 1024 * 1024


class Members(BaseModel):
    """Immutable; unknown members are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LessonActivity(Members):
    """A learner's activity: the lesson and the enrollment."""

    user_course_id: Id64
    topic_id: Id32
    lesson_id: Id32
    section_id: Annotated[Id32 | None, DropIfBad] = None
    duration_seconds: Annotated[Duration | None, DropIfBad] = Field(
        None, description="Time spent, in whole seconds, ending at `time`."
    )


class Enrollment(Members):
    """A learner in a course."""

    user_course_id: Id64
    user_id: Id64
    course_id: Id64
    timezone: Timezone = Field(
        "UTC",
        description="A name in the tz database, spelled exactly, for days and hours in the analytics. "
        "Null or an unknown name means UTC.",
    )


class Reopening(Members):
    """The lesson whose completion was taken back, and the enrollment."""

    user_course_id: Id64
    topic_id: Id32
    lesson_id: Id32


class LessonPlace(Members):
    """A lesson's place in an earlier outline."""

    topic_id: Id32
    lesson_id: Id32


class OutlineLesson(Members):
    """One lesson of an outline."""

    topic_id: Id32
    lesson_id: Id32
    title: Annotated[Text | None, DropIfBad] = None
    moved_from: Annotated[tuple[LessonPlace, ...] | None, AfterValidator(lambda it: it or None), DropIfBad] = Field(
        None,
        description="The lesson's earlier places; progress there counts for it. "
        "A place that is itself in the outline is ignored.",
    )


class Outline(Members):
    """A course's complete live outline, in order; may be empty."""

    course_id: Id64
    lessons: Annotated[tuple[OutlineLesson, ...], FailFast()]  # collecting a megabyte of errors takes seconds

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({(lesson.topic_id, lesson.lesson_id) for lesson in self.lessons}) < len(self.lessons):
            raise PydanticCustomError("lesson_repeated", "The outline has a (topic_id, lesson_id) pair twice")
        return self


class Correction(Members):
    """A complete snapshot of one progress row. Every member is required; the times may be null."""

    user_course_id: Id64
    topic_id: Id32
    lesson_id: Id32
    status: ProgressStatus
    last_viewed_at: Time | None
    completed_at: Time | None


def _refuse_no_identity(id: str) -> str:  # noqa: A002 - the member's name
    if is_identity(id):
        return id
    raise PydanticCustomError("no_identity", "The nil and the max UUID are not identities: each event needs its own id")


class CloudEvent(Members):
    """The CloudEvents 1.0 members that every event carries."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1), AfterValidator(_refuse_no_identity)]
    source: Annotated[str, Field(min_length=1)]
    time: Annotated[Time, Field(description="When the event happened, with an offset.")]
    sequence: Annotated[Sequence | None, DropIfBad] = Field(
        None,
        description="Orders events with equal `time`; none comes first. Compared bytewise, after padding integers "
        "and strings of digits to 20 digits, so that numbers sort by value.",
    )

    @property
    def event_id(self) -> str:
        """The identity as a UUID string."""
        return identity(self.source, self.id)

    def to_json(self) -> bytes:
        """Return the event as it is published."""
        return self.model_dump_json(exclude_none=True).encode()


class TimelessEvent(CloudEvent):
    """An event whose sender may not know its time."""

    untimed: Annotated[Annotated[bool, Field(strict=True)] | None, DropIfBad] = Field(
        None,
        description="`true`: the time of the event is unknown, and `time` is when it was sent. "
        "Repeated, it is the same event whatever its `time`.",
    )


class LessonViewed(TimelessEvent):
    """A learner opened a lesson."""

    type: Literal["lesson.viewed"] = "lesson.viewed"
    data: LessonActivity


class LessonCompleted(TimelessEvent):
    """A learner completed a lesson, which is also a view."""

    type: Literal["lesson.completed"] = "lesson.completed"
    data: LessonActivity


class EnrollmentCreated(TimelessEvent):
    """A learner was enrolled, or an enrollment's details changed."""

    type: Literal["enrollment.created"] = "enrollment.created"
    data: Enrollment


class CourseOutlined(CloudEvent):
    """A course got this live outline."""

    type: Literal["course.outlined"] = "course.outlined"
    data: Outline


class ProgressCorrected(CloudEvent):
    """A progress row was corrected by hand. Later events merge into it."""

    type: Literal["progress.corrected"] = "progress.corrected"
    data: Correction

    def to_json(self) -> bytes:
        """Return the event as it is published, with its null times, which are values here."""
        return self.model_dump_json().encode()


class LessonReopened(CloudEvent):
    """The LMS took back a lesson's completion, and with it all that happened in the lesson up to `time`."""

    type: Literal["lesson.reopened"] = "lesson.reopened"
    data: Reopening

    def as_correction(self) -> ProgressCorrected:
        """Return the correction that this event is: in progress, last viewed at its time."""
        snapshot = Correction(
            **self.data.model_dump(), status=ProgressStatus.IN_PROGRESS, last_viewed_at=self.time, completed_at=None
        )
        return ProgressCorrected(id=self.id, source=self.source, time=self.time, sequence=self.sequence, data=snapshot)


LessonEvent = LessonViewed | LessonCompleted
LedgerEvent = LessonEvent | ProgressCorrected
Event = LessonViewed | LessonCompleted | LessonReopened | EnrollmentCreated | CourseOutlined | ProgressCorrected
EVENT_TYPES: tuple[type[CloudEvent], ...] = (
    LessonViewed,
    LessonCompleted,
    LessonReopened,
    EnrollmentCreated,
    CourseOutlined,
    ProgressCorrected,
)
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def partition_key(data: Any) -> int | None:
    """Return the number that selects an event's partition, from its parsed `data`: its enrollment, or its course.

    Of names it is the CRC-32 of the learner, or of the course. None if it has neither. Accepts invalid data, because
    the consumer validates events, not the publisher.
    """
    if not isinstance(data, dict):
        return None
    if "learner" in data:
        name = data["learner"]
    elif "user_course_id" in data or "course_id" in data:
        key = data.get("user_course_id", data.get("course_id"))
        return key if isinstance(key, int) and not isinstance(key, bool) else None
    else:
        name = data.get("course")
    return crc32(name.encode(errors="surrogatepass")) if isinstance(name, str) else None
