"""One stream entry as it was read, and the verdict on it: an event, or a rejection with its reason."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from pydantic import ValidationError

from worker.domain.event import EVENT, MAX_EVENT_BYTES, MAX_OUTLINE_BYTES, CourseOutlined, Event, ProgressCorrected

MAX_AHEAD_MILLISECONDS = 5 * 60 * 1000
_MAX_DETAIL = 500
NO_TIME = "time: missing. Send when it happened, such as 2025-07-14T10:30:00Z; a Celery task sends it as occurred_at"


class Reason(StrEnum):
    """Why an entry stands in `dead_letter`."""

    MISSING_FIELD = "missing_field"
    TOO_LARGE = "too_large"
    INVALID_JSON = "invalid_json"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_EVENT = "invalid_event"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    UNKNOWN_ENROLLMENT = "unknown_enrollment"
    DATA_ERROR = "data_error"
    CRASHES_WORKER = "crashes_worker"


class Entry(Struct, frozen=True, gc=False):
    """A stream entry: its stream, its id (`milliseconds-sequence`) and the bytes of its field `event`, if any."""

    stream: str
    id: str
    body: bytes | None

    @property
    def milliseconds(self) -> int:
        """The millisecond of Redis' clock in the entry's id."""
        return int(self.id.partition("-")[0])


class Rejection(Exception):  # noqa: N818 - a verdict on input, not an error of ours
    """The entry can never be applied as it stands."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep the reason, and the detail as text that any database and terminal takes."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = "".join(c if c.isprintable() else "?" for c in detail[:_MAX_DETAIL])


def parse(entry: Entry) -> Event:
    """The entry's event. Raises Rejection; never another exception, whatever the bytes.

    The verdict depends on the entry alone, so that it is the same on every redelivery.
    """
    body = entry.body
    if body is None:
        raise Rejection(Reason.MISSING_FIELD, "the entry has no field named event")
    if len(body) > MAX_OUTLINE_BYTES:
        raise Rejection(Reason.TOO_LARGE, f"{len(body)} bytes; at most {MAX_OUTLINE_BYTES}")
    try:
        event = EVENT.validate_json(body)
    except ValidationError as error:
        raise _rejection(error) from None
    if len(body) > MAX_EVENT_BYTES and not isinstance(event, CourseOutlined):
        raise Rejection(Reason.TOO_LARGE, f"{len(body)} bytes; at most {MAX_EVENT_BYTES} for {event.type}")
    refuse_ahead(_latest_time(event), entry.milliseconds)
    return event


def refuse_ahead(time: datetime, arrived_milliseconds: float) -> None:
    """Raise Rejection for a time more than 5 minutes ahead of the clock at arrival: it would win every maximum."""
    if time.timestamp() * 1000 > arrived_milliseconds + MAX_AHEAD_MILLISECONDS:
        raise Rejection(Reason.TIME_OUT_OF_RANGE, f"{time.isoformat()} is more than 5 minutes ahead of its arrival")


def _latest_time(event: Event) -> datetime:
    """Of the times an event carries; a correction's snapshot must not be ahead either."""
    if isinstance(event, ProgressCorrected):
        return max(filter(None, [event.time, event.data.last_viewed_at, event.data.completed_at]))
    return event.time


def _rejection(error: ValidationError) -> Rejection:
    problem = error.errors(include_url=False, include_input=False)[0]
    kind, message = problem["type"], problem["msg"]
    # The first element of a location inside the union is the event's type.
    place = ".".join(str(part) for part in problem["loc"][1:])
    if kind == "missing" and place == "time":
        return Rejection(Reason.INVALID_EVENT, NO_TIME)
    if kind == "json_invalid":
        return Rejection(Reason.INVALID_JSON, message)
    if kind == "union_tag_invalid":
        return Rejection(Reason.UNKNOWN_TYPE, f"type: {message}")
    if kind in {"greater_than_equal", "less_than"} and place in {"time", "data.last_viewed_at", "data.completed_at"}:
        return Rejection(Reason.TIME_OUT_OF_RANGE, f"{place}: {message}")
    return Rejection(Reason.INVALID_EVENT, f"{place}: {message}" if place else message)
