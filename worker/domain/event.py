"""The contract: the five event types as CloudEvents 1.0, with their exact limits.

`docs/asyncapi.json` is generated from these models; a publisher in any language builds against that document.
"""

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import NAMESPACE_URL, uuid5

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from worker.domain.clock import zone_names
from worker.domain.status import ProgressStatus

MAX_EVENT_CHARACTERS = 64 * 1024
MAX_OUTLINE_CHARACTERS = 1024 * 1024
EARLIEST_TIME = datetime(1980, 1, 1, tzinfo=UTC)
LATEST_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""Out of reach for any clock; beyond it an offset could lead past the last year there is."""

NO_IDENTITIES = frozenset({"0" * 32, "f" * 32})
"""The nil and the max UUID, without hyphens: what a program sends that has no id."""
MAX_SEQUENCE = 2**63 - 1

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def _rfc3339(value: object) -> object:
    """Refuse what pydantic would also take as a time: seconds since 1970, as a number or a string."""
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise PydanticCustomError("time_format", "Input should be an RFC 3339 time such as 2025-07-14T10:30:00Z")


def _drop_if_bad(value: object, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
    """An optional member that is not valid counts as not sent; the context's list `dropped` gets its name."""
    try:
        return validate(value)
    except ValidationError:
        if info.context is not None:
            info.context["dropped"].append(info.field_name)
        return validate(None)


def _whole_seconds(value: object) -> object:
    """12.5 is 12, as 30.0 is 30."""
    if isinstance(value, float) and math.isfinite(value) and 0 <= value <= 86_400:
        return int(value)
    return value


DropIfBad = WrapValidator(_drop_if_bad)
Id64 = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
Id32 = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Duration = Annotated[
    int,
    Field(strict=True, ge=0, le=86_400),
    BeforeValidator(_whole_seconds, json_schema_input_type=Annotated[float, Field(ge=0, le=86_400)]),
]
Sequence = (
    Annotated[int, Field(strict=True, ge=0, le=MAX_SEQUENCE)]
    | Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
)
"""CloudEvents' extension for the order of a source's events; `sequence_key` says how they compare."""


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


Time = Annotated[
    AwareDatetime,
    Field(ge=EARLIEST_TIME, lt=LATEST_TIME),
    BeforeValidator(_rfc3339, json_schema_input_type=AwareDatetime),
    AfterValidator(_utc),
]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


def _utc_if_absent(name: object) -> object:
    return "UTC" if name is None else name


def _refuse_unknown_zone(name: str) -> str:
    if name in zone_names():
        return name
    raise PydanticCustomError("timezone", "Input should be a name of the tz database, such as Europe/Berlin")


def _none_if_empty(places: Any) -> Any:
    return places or None


Timezone = Annotated[
    Text,
    BeforeValidator(_utc_if_absent, json_schema_input_type=str | None),
    AfterValidator(_refuse_unknown_zone),
    DropIfBad,
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LessonActivity(_Model):
    """What a learner did: which lesson of which enrolment."""

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


def identity(source: str, id: str) -> str:  # noqa: A002 - the member's name
    """An event's identity as a UUID string: `id` where it is a UUID, else a UUIDv5 of source and id.

    The UUIDv5 is that of `id` in the namespace UUIDv5(NAMESPACE_URL, source) (RFC 9562, 5.5).
    """
    if _UUID.fullmatch(id):
        return id.lower()
    return str(uuid5(uuid5(NAMESPACE_URL, source), id))


def is_identity(id: str) -> bool:  # noqa: A002 - the member's name
    """Whether the id tells events apart: the nil and the max UUID do not."""
    return id[:1] not in "0fF" or id.replace("-", "").lower() not in NO_IDENTITIES


def _refuse_no_identity(id: str) -> str:  # noqa: A002 - the member's name
    if is_identity(id):
        return id
    raise PydanticCustomError("no_identity", "The nil and the max UUID are no identity: each event needs its own id")


def sequence_key(sequence: int | str | None) -> str:
    """A string whose bytes order sequences: none before all, numbers by their value."""
    if sequence is None:
        return ""
    if isinstance(sequence, str) and not (
        sequence.isascii() and sequence.isdecimal() and int(sequence) <= MAX_SEQUENCE
    ):
        return sequence
    return f"{int(sequence):020}"


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
    """A learner was enrolled, or an enrolment's details changed."""

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

    The enrolment, or for an outline the course. Takes what may be invalid: the consumer, not the publisher, judges.
    """
    if not isinstance(data, dict):
        return None
    key = data.get("user_course_id", data.get("course_id"))
    return key if isinstance(key, int) and not isinstance(key, bool) else None
