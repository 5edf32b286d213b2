"""Parameters and members that several endpoints share. Times are RFC 3339."""

from decimal import Decimal
from typing import Annotated

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.json_schema import SkipJsonSchema
from starlette.convertors import Convertor, register_url_convertor

from worker.contract.id_ranges import MAX_ID, MAX_LESSON_ID


class IdConvertor(Convertor[int]):
    """Matches digits only, as many as the largest id has, so that `/progress/course/…` is not taken for an id."""

    regex = "[0-9]{1,19}"

    def convert(self, value: str) -> int:
        """Return the number. Its range is validated with the other parameters."""
        return int(value)

    def to_string(self, value: int) -> str:
        """Return the number as it appears in a path."""
        return str(value)


register_url_convertor("id", IdConvertor())

UserCourseId = Annotated[int, Path(ge=1, le=MAX_ID, description="The enrollment, a `user_course.id`.", examples=[1])]
CourseId = Annotated[int, Path(ge=1, le=MAX_ID, description="The course, a `user_course.course_id`.", examples=[1])]
LessonPart = Annotated[int, Path(ge=1, le=MAX_LESSON_ID, description="As in the course's outline.", examples=[1])]
IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=255, pattern="^[!-~]+$")] | SkipJsonSchema[None],
    Header(
        alias="Idempotency-Key",
        description="Becomes the event's id, preferably a UUID. Repeating the request with the same key is harmless.",
    ),
]
Prefer = Annotated[
    str | SkipJsonSchema[None],
    Header(alias="Prefer", description="`respond-async`: append to the stream and answer 202 at once."),
]
Percentage = Annotated[
    Decimal,
    PlainSerializer(float, return_type=float),
    Field(description="Rounded to two decimals, but 0 only for none and 100 only for all."),
]
TotalIsKnown = Annotated[
    bool,
    Field(description="Whether the course has an outline. If not, the total counts the lessons that have a row."),
]


class Answer(BaseModel):
    """An answer made from the attributes of a service's result."""

    model_config = ConfigDict(from_attributes=True)
