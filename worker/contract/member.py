"""The kinds of values that events carry, with their limits; an optional one that is not valid counts as not sent."""

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
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from worker.contract.identity import MAX_SEQUENCE
from worker.contract.ids import MAX_ID, MAX_LESSON_ID
from worker.contract.time_zones import zone_names

EARLIEST_TIME = datetime(1980, 1, 1, tzinfo=UTC)
LATEST_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""Out of reach for any clock; beyond it an offset could lead past the last year there is."""


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
Id64 = Annotated[int, Field(strict=True, ge=1, le=MAX_ID)]
Id32 = Annotated[int, Field(strict=True, ge=1, le=MAX_LESSON_ID)]
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


Timezone = Annotated[
    Text,
    BeforeValidator(_utc_if_absent, json_schema_input_type=str | None),
    AfterValidator(_refuse_unknown_zone),
    DropIfBad,
]
