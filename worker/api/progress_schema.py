"""The bodies and answers of the endpoints of one lesson. Unknown members of bodies are refused."""

from datetime import datetime
from typing import Annotated, Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from worker.api.schema import Answer
from worker.contract.progress_status import ProgressStatus
from worker.contract.value_types import Duration, Id32, Id64, Time
from worker.progress.correction_rules import Changes

_TIME_EXAMPLE = "2025-07-14T10:30:00Z"
# Only a completed lesson has a `completed_at`.
_CONSISTENT: list[JsonValue] = [
    {"properties": {"status": {"const": "completed"}}},
    {"properties": {"completed_at": {"type": "null"}}},
]

BodyTime = Annotated[Time, Field(description="1980 or later, at most 5 minutes ahead of the server's clock.")]


def _or_anything(kind: Any) -> WithJsonSchema:
    """Describe a member whose invalid values count as not sent; see `worker.contract.value_types.DropIfBad`."""
    other = {"description": "Anything else counts as not sent."}
    return WithJsonSchema({"anyOf": [TypeAdapter(kind).json_schema(), {"type": "null"}, other]})


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Row(_Body):
    # A factory, whose default the document does not show: an absent status means no change, see `changes`.
    status: ProgressStatus = Field(default_factory=lambda: ProgressStatus.NOT_STARTED)
    last_viewed_at: BodyTime | None = None
    completed_at: BodyTime | None = Field(None, description="Implies the status `completed` unless one is given.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        is_other = "status" in self.model_fields_set and self.status is not ProgressStatus.COMPLETED
        if self.completed_at and is_other:
            raise PydanticCustomError("not_completed", "Only a completed lesson has a completed_at")
        return self

    @property
    def changes(self) -> Changes:
        """The members given."""
        return cast("Changes", self.model_dump(include=set(Changes.__annotations__), exclude_unset=True))


class NewProgress(_Row):
    """A row to create, by default a lesson not started."""

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
    """The members to set, at least one. Absent members stay as they are; null removes a time.

    With the status `completed`, a `completed_at` of null becomes the time of the request.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "anyOf": _CONSISTENT,
            "examples": [{"status": "completed", "completed_at": _TIME_EXAMPLE}, {"status": "in_progress"}],
        }
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_set", "Give at least one of status, last_viewed_at, completed_at")
        return self


class Activity(_Body):
    """Details of a view or a completion. An invalid section or duration counts as not sent."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"section_id": 2, "duration_seconds": 90, "occurred_at": _TIME_EXAMPLE}]}
    )

    section_id: Annotated[object, _or_anything(Id32)] = None
    duration_seconds: Annotated[object, _or_anything(Duration)] = Field(
        None, description="Time spent, in whole seconds, ending at `occurred_at`."
    )
    occurred_at: BodyTime | None = Field(None, description="When it happened, by default now.")


BODIES = (NewProgress, ChangedProgress, Activity)


class Progress(Answer):
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


class Accepted(BaseModel):
    """The event is on the stream and will be applied."""

    event_id: str
