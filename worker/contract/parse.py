"""Parse an event against the contract's models: a valid event, or a rejection with its reason."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from worker.contract.entry import FIELD, Entry, Reason, Rejection
from worker.contract.event import MAX_EVENT_CHARACTERS, MAX_OUTLINE_CHARACTERS, CourseOutlined, Event, ProgressCorrected
from worker.contract.event_time import refuse_ahead
from worker.contract.named_event import NAMED_EVENT, NamedCourseOutlined, NamedEvent, is_named
from worker.contract.record_rejected import RecordRejected

MAX_BYTES = 12 * MAX_OUTLINE_CHARACTERS
"""The size of the largest outline with every character written as two escapes."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some programs add it to every text; parsers may ignore it (RFC 8259, 8.1)."""
NO_TIME = "time: missing. Send when it happened, such as 2025-07-14T10:30:00Z; a Celery task sends it as occurred_at"
NO_NAMES = "progress.corrected has no form with names: send user_course_id, topic_id, lesson_id"
AMBIGUOUS = "at most user_course_id, topic_id, lesson_id by position, each once; all else by name"
"""Why a task's arguments are no event; it then has them as `args` and `kwargs`."""


_LONG = (CourseOutlined, NamedCourseOutlined, RecordRejected)
"""What may have MAX_OUTLINE_CHARACTERS."""
_NUMBERED: TypeAdapter[Event | RecordRejected] = TypeAdapter(
    Annotated[Event | RecordRejected, Field(discriminator="type")]
)
_MAY_BE_NAMED = re.compile(rb'"learner"|"course"|"lesson"|\\u00')
"""An escape may hide one of the words."""


def parse_entry(entry: Entry, now_milliseconds: float = 0, dropped: list[str] | None = None) -> Event | NamedEvent:
    """Parse an entry's event like `parse`.

    The verdict depends on the entry alone and so is the same on every redelivery, with one exception: a time ahead of
    the entry's id is accepted unless it is also ahead of `now_milliseconds`.
    """
    if entry.body is not None:
        return parse(entry.body, max(entry.milliseconds, now_milliseconds), dropped)
    names = [name.decode(errors="replace") for name in entry.fields[::2]]
    if FIELD in names:
        raise Rejection(Reason.INVALID_EVENT, "the entry has several fields named event: send one entry per event")
    raise Rejection(Reason.MISSING_FIELD, f"the entry has no field named event, only: {', '.join(names) or 'none'}")


def parse(body: bytes, arrived_milliseconds: float, dropped: list[str] | None = None) -> Event | NamedEvent:
    """Parse an event that arrived at this time since the epoch. For any bytes it raises Rejection and nothing else.

    Invalid optional members are ignored; their names are added to `dropped`.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    size = _characters(body)
    if size > MAX_OUTLINE_CHARACTERS:
        raise Rejection(Reason.TOO_LARGE, f"{size} characters; at most {MAX_OUTLINE_CHARACTERS}")
    adapter: TypeAdapter[Event | RecordRejected] | TypeAdapter[NamedEvent] = _NUMBERED
    if _MAY_BE_NAMED.search(body) and is_named(named := _json(body)):
        if named.get("type") == ProgressCorrected.model_fields["type"].default:
            raise Rejection(Reason.INVALID_EVENT, NO_NAMES)
        adapter = NAMED_EVENT
    try:
        event = adapter.validate_json(body, context={"dropped": [] if dropped is None else dropped})
    except ValidationError as error:
        raise _rejection(error) from None
    if size > MAX_EVENT_CHARACTERS and not isinstance(event, _LONG):
        raise Rejection(Reason.TOO_LARGE, f"{size} characters; at most {MAX_EVENT_CHARACTERS} for {event.type}")
    if isinstance(event, RecordRejected):
        found = event.data
        raise Rejection(Reason.NOT_TRANSLATED, f"{found.format}: {found.reason}: {found.detail}")
    refuse_ahead(_latest_time(event), arrived_milliseconds)
    return event


def _json(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        return None


_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)


def _characters(body: bytes) -> int:
    """Return the length of the JSON text in characters, an escape counting as one."""
    if len(body) <= MAX_EVENT_CHARACTERS or len(body) > MAX_BYTES:
        return len(body)
    return len(_ESCAPE.sub(b"?", body).decode(errors="replace"))


def _latest_time(event: Event | NamedEvent) -> datetime:
    """Return the latest time in the event; a correction's snapshot must not be ahead either."""
    if isinstance(event, ProgressCorrected):
        return max(filter(None, [event.time, event.data.last_viewed_at, event.data.completed_at]))
    return event.time


def _rejection(error: ValidationError) -> Rejection:
    problem, *others = error.errors(include_url=False)
    kind, message = problem["type"], problem["msg"]
    # The first element of a location inside the union is the event's type.
    member = ".".join(str(part) for part in problem["loc"][1:])
    if any(each["type"] == "missing" and _is_of_ambiguous_task(each["input"]) for each in (problem, *others)):
        return Rejection(Reason.INVALID_EVENT, f"data: {AMBIGUOUS}")
    if kind == "missing" and member == "time":
        return Rejection(Reason.INVALID_EVENT, NO_TIME)
    if kind == "json_invalid":
        return Rejection(Reason.INVALID_JSON, message)
    if kind == "union_tag_invalid":
        return Rejection(Reason.UNKNOWN_TYPE, f"type: {message}")
    if kind in {"greater_than_equal", "less_than"} and member in {"time", "data.last_viewed_at", "data.completed_at"}:
        return Rejection(Reason.TIME_OUT_OF_RANGE, f"{member}: {message}")
    return Rejection(Reason.INVALID_EVENT, f"{member}: {message}" if member else message)


def _is_of_ambiguous_task(data: object) -> bool:
    return isinstance(data, dict) and data.keys() == {"args", "kwargs"}
