"""The bodies of `POST /events`: a batch of CloudEvents or a single one, in structured mode."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from starlette.exceptions import HTTPException

from worker.api.json_elements import elements
from worker.contract.asyncapi import event_schemas
from worker.contract.entry import Entry, Rejection
from worker.contract.event import EVENT_TYPES, CloudEvent, CourseOutlined, Event, Outline, partition_key
from worker.contract.named_event import (
    NAMED_EVENT_TYPES,
    NamedCourseOutlined,
    NamedEvent,
    NamedOutline,
    NamedOutlineLesson,
)
from worker.contract.parse import BYTE_ORDER_MARK, parse_entry
from worker.progress.submit import arriving

BATCH = "application/cloudevents-batch+json"
SINGLE = "application/cloudevents+json"
MAX_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event of the batch, its id if it can be read, and the parsed event or its rejection."""

    entry: Entry
    id: str | None
    parsed: Event | NamedEvent | Rejection
    dropped: int = 0
    """Number of invalid optional members."""

    @property
    def message(self) -> tuple[int | None, bytes]:
        """Its partition key and its bytes, as the publisher takes them."""
        key = None if isinstance(self.parsed, Rejection) else partition_key(vars(self.parsed.data))
        return key, self.entry.body or b""


def _or_anything(schema: dict[str, Any]) -> dict[str, Any]:
    """Let optional members be anything: invalid ones count as not sent, but for a course, which says whose lesson."""
    other = {"description": "Anything else counts as not sent."}
    members = {
        name: member if name in {*schema["required"], "course"} else {"anyOf": [member, other]}
        for name, member in schema.get("properties", {}).items()
    }
    return schema | {"properties": members} if members else schema


_PREFIX = "Event."
SCHEMAS = {
    f"{_PREFIX}{name}": _or_anything(schema)
    for name, schema in event_schemas(f"#/components/schemas/{_PREFIX}{{model}}").items()
}
"""The events' own schemas for the OpenAPI document."""
_KINDS: tuple[type[CloudEvent], ...] = (*EVENT_TYPES, *NAMED_EVENT_TYPES)
_ANY_EVENT = [{"$ref": f"#/components/schemas/{_PREFIX}{kind.__name__}"} for kind in _KINDS]

_EXAMPLES: list[dict[str, Any]] = [
    {
        "specversion": "1.0",
        "id": f"0198a1b2-c3d4-7e5f-8a9b-{number:012}",
        "source": "/lms",
        "type": kind,
        "time": f"2025-07-14T10:3{number}:00Z",
        "data": data,
    }
    for number, (kind, data) in enumerate(
        [
            ("course.outlined", {"course_id": 3, "lessons": [{"topic_id": 1, "lesson_id": 1, "title": "Welcome"}]}),
            ("enrollment.created", {"user_course_id": 1, "user_id": 7, "course_id": 3}),
            ("lesson.viewed", {"user_course_id": 1, "topic_id": 1, "lesson_id": 1, "duration_seconds": 90}),
            ("lesson.completed", {"user_course_id": 1, "topic_id": 1, "lesson_id": 1}),
            ("lesson.viewed", {"user_course_id": 1, "topic_id": 1, "lesson_id": 1, "section_id": 2}),
        ]
    )
]
_LESSON = {"learner": "user:4", "course": "course:2", "lesson": "cm:7"}
_NAMED_EXAMPLES = [
    {**example, "source": "moodle", "type": kind, "data": data}
    for example, (kind, data) in zip(
        _EXAMPLES,
        [
            ("course.outlined", {"course": "course:2", "lessons": [{"lesson": "cm:7", "topic": "section:1"}]}),
            ("enrollment.created", {"learner": "user:4", "course": "course:2", "timezone": "Europe/London"}),
            ("lesson.viewed", {**_LESSON, "duration_seconds": 90}),
            ("lesson.completed", _LESSON),
            ("lesson.reopened", _LESSON),
        ],
        strict=True,
    )
]
BODY = {
    "required": True,
    "content": {
        # Permissive, because an event that breaks the contract is rejected alone, not with the whole batch.
        BATCH: {
            "schema": {
                "type": "array",
                "maxItems": MAX_EVENTS,
                "items": {"type": "object", "description": "A CloudEvent as defined in docs/asyncapi.json."},
                "examples": [_EXAMPLES[:-1], _NAMED_EXAMPLES[:-1]],
            }
        },
        SINGLE: {"schema": {"oneOf": _ANY_EVENT, "examples": [_EXAMPLES[-1], _NAMED_EXAMPLES[-1]]}},
    },
}


def is_single(content_type: str) -> bool:
    """Return whether the body is one event. Raises HTTPException 415 if it is neither that nor a batch."""
    found = content_type.partition(";")[0].strip().lower()
    if found not in {BATCH, SINGLE}:
        raise HTTPException(415, f"The Content-Type must be {BATCH}, or {SINGLE} for a single event.")
    return found == SINGLE


def read_events(body: bytes, now: datetime, *, single: bool) -> list[ReceivedEvent]:
    """Return the events of a body that arrived `now`, one if `single`. Raises HTTPException 422 for a wrong batch."""
    bodies = [body.strip()] if single else _elements(body)
    milliseconds = time.time() * 1000
    return [_parse(entry, milliseconds) for entry in arriving(bodies, now)]


def _elements(body: bytes) -> list[bytes]:
    try:
        bodies = elements(body)
    except ValueError as error:
        raise HTTPException(422, f"The body must be a JSON list of CloudEvents: {error}.") from None
    if not all(each.startswith((b"{", BYTE_ORDER_MARK + b"{")) for each in bodies):
        raise HTTPException(422, "The body must be a JSON list of CloudEvents: some of its elements are not objects.")
    if len(bodies) > MAX_EVENTS:
        raise HTTPException(422, f"{len(bodies)} events; at most {MAX_EVENTS} are accepted.")
    return bodies


def _parse(entry: Entry, milliseconds: float) -> ReceivedEvent:
    dropped: list[str] = []
    try:
        event = parse_entry(entry, milliseconds, dropped)
    except Rejection as rejection:
        return ReceivedEvent(entry, _readable_id(entry.body or b""), rejection)
    if isinstance(event, CourseOutlined):  # collecting a batch of lessons as garbage would block the loop
        event = event.model_copy(update={"data": Outline(course_id=event.data.course_id, lessons=())})
    elif isinstance(event, NamedCourseOutlined):
        event = event.model_copy(update={"data": _with_names_alone(event.data)})
    return ReceivedEvent(entry, event.id, event, len(dropped))


def _with_names_alone(outline: NamedOutline) -> NamedOutline:
    """Return an outline of one lesson that has the others' names as aliases: what authorization needs of it."""
    names = {name for each in outline.lessons for name in (each.lesson, *(each.aliases or ()))}
    lessons = [NamedOutlineLesson(lesson=name, aliases=tuple(names)) for name in sorted(names)[:1]]
    return NamedOutline(course=outline.course, lessons=tuple(lessons))


def _readable_id(body: bytes) -> str | None:
    try:
        event = from_json(body)
    except ValueError:
        return None
    found = event.get("id") if isinstance(event, dict) else None
    return found if isinstance(found, str) else None
