"""The bodies that the endpoints take, and what they answer. Times are RFC 3339; an unknown member is refused."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from fastapi import Header, Path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from starlette.convertors import Convertor, register_url_convertor

from worker.contract.member import Duration, Id32, Id64, Time
from worker.contract.progress_status import ProgressStatus
from worker.progress.correction_rules import Changes
from worker.progress.submit import Result
from worker.summary.next_lesson import NextReason

_TIME_EXAMPLE = "2025-07-14T10:30:00Z"


class IdConvertor(Convertor[int]):
    """Only digits are an id, so that `/progress/course/…` is never one; nor are more of them than the largest has."""

    regex = "[0-9]{1,19}"

    def convert(self, value: str) -> int:
        """As a number; its range is checked with the other parameters."""
        return int(value)

    def to_string(self, value: int) -> str:
        """As in a path."""
        return str(value)


register_url_convertor("id", IdConvertor())

UserCourseId = Annotated[
    int, Path(ge=1, le=2**63 - 1, description="The enrollment: its `user_course.id`.", examples=[1])
]
CourseId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The course: a `user_course.course_id`.", examples=[1])]
LessonPart = Annotated[int, Path(ge=1, le=2**31 - 1, description="As in the course's outline.", examples=[1])]
IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=255, pattern="^[!-~]+$")] | SkipJsonSchema[None],
    Header(
        alias="Idempotency-Key",
        description="Becomes the id of the event: the same request sent again changes nothing. A UUID is best.",
    ),
]
Prefer = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="Prefer", description="`respond-async`: append to the stream and answer 202, without waiting for a row."
    ),
]
Percentage = Annotated[
    Decimal,
    PlainSerializer(float, return_type=float),
    Field(description="With two decimals: 0 only where nothing is, 100 only where everything is."),
]
TotalIsKnown = Annotated[
    bool,
    Field(description="The course has an outline. Else the total is of the lessons that have a row so far."),
]


BodyTime = Annotated[Time, Field(description="From the year 1980 on, at most 5 minutes ahead of the server's clock.")]


def _or_anything(kind: Any) -> WithJsonSchema:
    """What is right, and that whatever else comes is taken as nothing: `worker.contract.event.DropIfBad` judges."""
    wrong = {"description": "Anything else counts as not sent."}
    return WithJsonSchema({"anyOf": [TypeAdapter(kind).json_schema(), {"type": "null"}, wrong]})


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


# Only what is completed has a `completed_at`.
_CONSISTENT: list[JsonValue] = [
    {"properties": {"status": {"const": "completed"}}},
    {"properties": {"completed_at": {"type": "null"}}},
]


class _Row(_Body):
    # A factory, because the document shows no default that comes from one, and there is none: see `changes`.
    status: ProgressStatus = Field(default_factory=lambda: ProgressStatus.NOT_STARTED)
    last_viewed_at: BodyTime | None = None
    completed_at: BodyTime | None = Field(None, description="Says `completed` where no `status` does.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        is_other = "status" in self.model_fields_set and self.status is not ProgressStatus.COMPLETED
        if self.completed_at and is_other:
            raise PydanticCustomError("not_completed", "Only a completed lesson has a completed_at")
        return self

    @property
    def changes(self) -> Changes:
        """The members that were given."""
        changes = Changes()
        if "status" in self.model_fields_set:
            changes["status"] = self.status
        if "last_viewed_at" in self.model_fields_set:
            changes["last_viewed_at"] = self.last_viewed_at
        if "completed_at" in self.model_fields_set:
            changes["completed_at"] = self.completed_at
        return changes


class NewProgress(_Row):
    """A row to be made, by default a blank one."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": _CONSISTENT,
            "examples": [
                {"user_course_id": 1, "topic_id": 1, "lesson_id": 2},
                {"user_course_id": 1, "topic_id": 1, "lesson_id": 3, "completed_at": _TIME_EXAMPLE},
            ],
        }
    )

    user_course_id: Id64
    topic_id: Id32
    lesson_id: Id32


class ChangedProgress(_Row):
    """What to set, at least one member; one that is left out stays as it is, a time that is null is taken away.

    Where the status is `completed`, a `completed_at` of null becomes the time of the request.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "anyOf": _CONSISTENT,
            "examples": [{"status": "completed", "completed_at": _TIME_EXAMPLE}, {"status": "in_progress"}],
        }
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_set", "Give at least one of status, last_viewed_at, completed_at")
        return self


class Activity(_Body):
    """What else is known of a view or a completion; a section or a duration that is not valid counts as not sent."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"section_id": 2, "duration_seconds": 90, "occurred_at": _TIME_EXAMPLE}]}
    )

    section_id: Annotated[object, _or_anything(Id32)] = None
    duration_seconds: Annotated[object, _or_anything(Duration)] = Field(
        None, description="Time spent, in whole seconds, ending at `occurred_at`."
    )
    occurred_at: BodyTime | None = Field(None, description="When it happened, by default now.")


BODIES = (NewProgress, ChangedProgress, Activity)


class Progress(_Answer):
    """A row of `user_course_progress`."""

    id: int
    user_course_id: int
    topic_id: int
    lesson_id: int
    status: ProgressStatus
    last_viewed_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Lesson(_Answer):
    """A lesson of the course. One without a row is not started and has no id; the title is the outline's.

    Rows of the places where the lesson was before count too; the id is that of its own row, else of the first of those.
    """

    id: int | None
    user_course_id: int
    topic_id: int
    lesson_id: int
    title: str | None
    status: ProgressStatus
    last_viewed_at: datetime | None
    completed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


class Topic(_Answer):
    """The first 1,000 lessons of a topic, in outline order, and the totals of all."""

    user_course_id: int
    topic_id: int
    total_lessons: int
    total_is_known: TotalIsKnown
    completed_lessons: int
    in_progress_lessons: int
    not_started_lessons: int
    completion_percentage: Percentage
    lessons: list[Lesson]


class Lessons(_Answer):
    """A page of lessons, in outline order."""

    user_course_id: int
    lessons: list[Lesson]
    next_after: str | None = Field(description="The `after` of the next page; null when this is the last one.")


class Summary(_Answer):
    """How far an enrollment is: never stale, whenever it was stored.

    A position whose lesson is not started, or has no row, counts as none. The next lesson is the current one while that
    is not completed, else the first not completed after it, else the first not completed at all.
    """

    user_course_id: int
    total_lessons: int
    total_is_known: TotalIsKnown
    completed_lessons: int
    in_progress_lessons: int
    not_started_lessons: int
    completion_percentage: Percentage
    current_topic_id: int | None
    current_lesson_id: int | None
    current_section_id: int | None
    next_topic_id: int | None
    next_lesson_id: int | None
    next_reason: NextReason | None
    last_activity_at: datetime | None
    refreshed_at: datetime


class Accepted(BaseModel):
    """The event is on the stream and will be applied."""

    event_id: str


class EventVerdict(BaseModel):
    """What became of one event.

    `accepted` is on the stream and will be applied; `superseded` is an enrollment or an outline older than the known
    one, which stays.
    """

    id: str | None = Field(description="The event's own `id`; null where it has none that can be read.")
    result: Result
    reason: str | None = None
    detail: str | None = None


class Verdicts(BaseModel):
    """What became of each event, in the order of the request."""

    events: list[EventVerdict]


class Health(BaseModel):
    """Whether it works, and which part does not."""

    ok: bool
    checks: dict[str, bool] = {}
    degraded: SkipJsonSchema[None] | list[str] = Field(
        None, description="Parts that do not work while everything else does; left out where there are none."
    )
