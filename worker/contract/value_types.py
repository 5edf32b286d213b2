"""The types of event members, with their limits."""

import math
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from worker.contract.event_time import EARLIEST_TIME, LATEST_TIME
from worker.contract.id_ranges import MAX_ID, MAX_LESSON_ID
from worker.contract.identity import MAX_SEQUENCE
from worker.contract.time_zones import zone_names

MAX_DURATION_SECONDS = 86_400
"""One day."""
MAX_NAME_BYTES = 1_024


def _rfc3339(value: object) -> object:
    """Refuse numbers and numeric strings, which pydantic would accept as seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise PydanticCustomError("time_format", "Input should be an RFC 3339 time such as 2025-07-14T10:30:00Z")


def drop_if_bad(value: object, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
    """Treat an invalid optional member as not sent, and add its name to the context's list `dropped`."""
    try:
        return validate(value)
    except ValidationError:
        if info.context is not None:
            info.context["dropped"].append(info.field_name)
        return validate(None)


def _whole_seconds(value: object) -> object:
    """Truncate fractions: 12.5 becomes 12."""
    if isinstance(value, float) and math.isfinite(value) and 0 <= value <= MAX_DURATION_SECONDS:
        return int(value)
    return value


DropIfBad = WrapValidator(drop_if_bad)
Id64 = Annotated[int, Field(strict=True, ge=1, le=MAX_ID)]
Id32 = Annotated[int, Field(strict=True, ge=1, le=MAX_LESSON_ID)]
Duration = Annotated[
    int,
    Field(strict=True, ge=0, le=MAX_DURATION_SECONDS),
    BeforeValidator(_whole_seconds, json_schema_input_type=Annotated[float, Field(ge=0, le=MAX_DURATION_SECONDS)]),
]
Sequence = (
    Annotated[int, Field(strict=True, ge=0, le=MAX_SEQUENCE)]
    | Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
)
"""The CloudEvents extension that orders a source's events; see `sequence_key`."""


Time = Annotated[
    AwareDatetime,
    Field(ge=EARLIEST_TIME, lt=LATEST_TIME),
    BeforeValidator(_rfc3339, json_schema_input_type=AwareDatetime),
    AfterValidator(lambda time: time.astimezone(UTC)),
]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


def is_name(text: str) -> bool:
    """Return whether the text can name something: 1 to MAX_NAME_BYTES bytes of UTF-8 without NUL."""
    if "\0" in text or not 0 < len(text) <= MAX_NAME_BYTES:
        return False
    try:
        return text.isascii() or len(text.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:  # an unpaired surrogate, which no JSON text can have
        return False


def _refuse_no_name(name: str) -> str:
    if is_name(name):
        return name
    raise PydanticCustomError(
        "name", f"A name has 1 to {MAX_NAME_BYTES:,} bytes in UTF-8, none of them NUL, and no unpaired surrogate"
    )


Name = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_refuse_no_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES, "pattern": "^[^\\x00]*$"}),
]
"""What an LMS calls a learner, course, topic or lesson, compared byte for byte."""


def refuse_unknown_zone(name: str) -> str:
    """Return the name of a time zone. Raises PydanticCustomError if the tz database does not have it."""
    if name in zone_names():
        return name
    raise PydanticCustomError("timezone", "Input should be a name in the tz database, such as Europe/Berlin")


Timezone = Annotated[
    Text,
    BeforeValidator(lambda name: "UTC" if name is None else name, json_schema_input_type=str | None),
    AfterValidator(refuse_unknown_zone),
    DropIfBad,
]
