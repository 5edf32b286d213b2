"""One stream entry as it was read, and the verdict on it: an event, or a rejection with its reason."""

import re
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from pydantic import ValidationError

from worker.contract.event import (
    EVENT,
    MAX_EVENT_CHARACTERS,
    MAX_OUTLINE_CHARACTERS,
    CourseOutlined,
    Event,
    ProgressCorrected,
)

FIELD = "event"
GROUP = "progress"
"""The consumer group of the default stream key."""
MAX_AHEAD_MILLISECONDS = 5 * 60 * 1000
MAX_BYTES = 12 * MAX_OUTLINE_CHARACTERS
"""Of the largest outline, with every character written as two escapes."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some programs begin every text with it (RFC 8259, 8.1)."""
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
    UNKNOWN_REFERENCE = "unknown_reference"
    IDENTITY_CONFLICT = "identity_conflict"
    ENROLLMENT_CONFLICT = "enrollment_conflict"
    DATA_ERROR = "data_error"
    CRASHES_WORKER = "crashes_worker"


class Entry(Struct, frozen=True, gc=False):
    """A stream entry: its stream, its id (`milliseconds-sequence`) and the bytes of its field `event`, if any.

    `fields`: its other fields, name, value, name, value, …; they are kept where it becomes a dead letter.
    """

    stream: str
    id: str
    body: bytes | None
    fields: tuple[bytes, ...] = ()

    @property
    def other_fields(self) -> list[tuple[bytes, bytes]]:
        """Names and values of the fields that are not the event's."""
        return list(zip(self.fields[::2], self.fields[1::2], strict=True))

    @property
    def milliseconds(self) -> int:
        """The millisecond of Redis' clock in the entry's id."""
        return int(self.id.partition("-")[0])

    @property
    def arrival(self) -> int:
        """The id as one number: of two entries of a Redis the later has the greater."""
        milliseconds, _, sequence = self.id.partition("-")
        return min(int(milliseconds), 2**42 - 1) << 20 | min(int(sequence or 0), 2**20 - 1)


class Rejection(Exception):  # noqa: N818 - a verdict on input, not an error of ours
    """The entry can never be applied as it stands."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep the reason, and the detail as text that any database and terminal takes."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = "".join(c if c.isprintable() else "?" for c in detail[:_MAX_DETAIL])


def parse(entry: Entry, now_milliseconds: float = 0, dropped: list[str] | None = None) -> Event:
    """The entry's event. Raises Rejection; never another exception, whatever the bytes.

    The verdict depends on the entry alone, so that it is the same on every redelivery; but a time that is ahead of the
    entry's own clock is taken where it is not ahead of `now_milliseconds` too. `dropped` gets the names of optional
    members that were not valid and count as not sent.
    """
    body = entry.body
    if body is None:
        names = [name.decode(errors="replace") for name in entry.fields[::2]]
        if "event" in names:
            raise Rejection(Reason.INVALID_EVENT, "the entry has several fields named event: send an entry for each")
        raise Rejection(Reason.MISSING_FIELD, f"the entry has no field named event, but: {', '.join(names) or 'none'}")
    body = body.removeprefix(BYTE_ORDER_MARK)
    size = _characters(body)
    if size > MAX_OUTLINE_CHARACTERS:
        raise Rejection(Reason.TOO_LARGE, f"{size} characters; at most {MAX_OUTLINE_CHARACTERS}")
    try:
        event = EVENT.validate_json(body, context={"dropped": [] if dropped is None else dropped})
    except ValidationError as error:
        raise _rejection(error) from None
    if size > MAX_EVENT_CHARACTERS and not isinstance(event, CourseOutlined):
        raise Rejection(Reason.TOO_LARGE, f"{size} characters; at most {MAX_EVENT_CHARACTERS} for {event.type}")
    refuse_ahead(_latest_time(event), max(entry.milliseconds, now_milliseconds))
    return event


_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)


def _characters(body: bytes) -> int:
    """How long the JSON text is in characters, an escaped one counting as the one that it stands for."""
    if len(body) <= MAX_EVENT_CHARACTERS or len(body) > MAX_BYTES:
        return len(body)
    return len(_ESCAPE.sub(b"?", body).decode(errors="replace"))


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
