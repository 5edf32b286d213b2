"""Translate Live Events of Canvas, in its own form or as Caliper.

No event names the item of a module that became complete: those of a course's progress are ignored. Views and
submissions count instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import from_json

from worker.adapters import canvas_caliper
from worker.adapters.caliper_event import inside_envelope
from worker.adapters.canvas_names import is_lesson, lesson_name, local_id, shard_of
from worker.adapters.canvas_outcomes import (
    completed,
    enrolled,
    enrols,
    no_course,
    no_learner,
    no_lesson,
    require_enrolled_student,
    require_student,
    viewed,
)
from worker.adapters.envelopes import unwrap
from worker.adapters.names import hashed_id
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.times import read_time
from worker.adapters.xapi_statement import JsonObject, text_of
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent

_QUEUED = ("Records", "Messages")
"""A list of messages, as AWS gives it to a function and as `aws sqs receive-message` prints it."""
_CONTENT = ("body", "Body")


@dataclass(frozen=True, slots=True)
class _LiveEvent:
    name: str
    metadata: JsonObject
    body: JsonObject

    def local(self, value: object) -> str | None:
        return local_id(value, shard_of(self.metadata.get("root_account_id")))

    def named(self, kind: str, value: object) -> str | None:
        return f"{kind}:{local}" if (local := self.local(value)) else None

    @property
    def course(self) -> str | None:
        is_course = self.metadata.get("context_type") == "Course"
        return self.named("course", self.metadata.get("context_id")) if is_course else None


def split(document: object) -> Iterator[object]:
    """Return the events of a body or file: an event, a list, messages of a queue, or envelopes of Caliper."""
    return unwrap(document, _inside)


def _inside(document: object) -> list[object] | None:
    if not isinstance(document, dict) or "metadata" in document:
        return None
    for member in _QUEUED:
        if isinstance(messages := document.get(member), list):
            return messages
    for member in _CONTENT:
        if "type" not in document and isinstance(content := document.get(member), str | dict | list):
            return [_parsed(content)]
    return inside_envelope(document)


def _parsed(content: object) -> object:
    if not isinstance(content, str):
        return content
    try:
        return from_json(content)
    except ValueError:
        return content


def translate(record: object, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event of a Live Event; see `worker.adapters.translation.Translate`."""
    if isinstance(record, dict) and "metadata" not in record and ("type" in record or "@type" in record):
        return canvas_caliper.translate(record, connection, arrived)
    event = _read(record)
    return [_event(event, connection, arrived)]


def _read(record: object) -> _LiveEvent:
    if isinstance(record, str | bytes):
        raise Rejected("not_json", "The record is not JSON")
    if not isinstance(record, dict):
        raise Rejected("not_an_object", "The record is JSON, but no object")
    metadata, body = record.get("metadata"), record.get("body")
    if not isinstance(metadata, dict) or not isinstance(body, dict):
        raise Rejected("missing_member", "A Live Event needs metadata and a body")
    if not (name := text_of(metadata.get("event_name"))):
        raise Rejected("missing_member", "A Live Event needs an event_name in its metadata")
    return _LiveEvent(name, metadata, body)


def _event(event: _LiveEvent, connection: Connection, arrived: datetime) -> NamedEvent:
    match event.name:
        case "asset_accessed":
            return _viewed(event, connection, arrived)
        case "submission_created" | "quiz_submitted":
            return _completed(event, connection, arrived)
        case "enrollment_created" | "enrollment_updated":
            return _enrolled(event, connection, arrived)
        case "course_progress" | "course_completed":
            raise Ignored("course_level")
        case _:
            raise Ignored("outline" if event.name.startswith("module_") else "event_type")


def _viewed(event: _LiveEvent, connection: Connection, arrived: datetime) -> NamedEvent:
    asset_type = text_of(event.body.get("asset_type"))
    is_list = event.body.get("asset_subtype") not in (None, "")
    if is_list or not is_lesson(asset_type) or event.metadata.get("context_type") != "Course":
        raise Ignored("not_a_lesson")
    learner = event.named("user", event.metadata.get("user_id"))
    if not learner:
        raise Ignored("anonymous")
    role = text_of(event.body.get("role")) or text_of(event.metadata.get("context_role"))
    shows_learner = enrols(role)
    own_shard = shard_of(event.metadata.get("root_account_id"))
    lesson = lesson_name(asset_type, event.body.get("asset_id"), text_of(event.metadata.get("url")), own_shard)
    if not lesson:
        raise no_lesson()
    if not event.course:
        raise no_course()
    return viewed(
        _id(event), _time(event, connection, arrived), learner, event.course, lesson, shows_learner, connection
    )


def _completed(event: _LiveEvent, connection: Connection, arrived: datetime) -> NamedEvent:
    """Return the completion of what was submitted. Someone else than the learner may have caused the event."""
    caused_by = event.named("user", event.metadata.get("user_id"))
    if event.name == "quiz_submitted":
        learner, lesson = caused_by, event.named("quiz", event.body.get("quiz_id"))
        if not learner:
            raise Ignored("anonymous")
    else:
        learner = event.named("user", event.body.get("user_id"))
        lesson = event.named("assignment", event.body.get("assignment_id"))
        if not learner:
            raise no_learner()
    if learner == caused_by:
        require_student(text_of(event.metadata.get("context_role")))
    if not lesson:
        raise no_lesson()
    return completed(_id(event), _time(event, connection, arrived), learner, event.course, lesson, connection)


def _enrolled(event: _LiveEvent, connection: Connection, arrived: datetime) -> NamedEvent:
    require_enrolled_student(event.body)
    learner, course = event.named("user", event.body.get("user_id")), event.named("course", event.body.get("course_id"))
    if not learner:
        raise no_learner()
    if not course:
        raise no_course()
    return enrolled(_id(event), _time(event, connection, arrived), learner, course, connection)


def _time(event: _LiveEvent, connection: Connection, arrived: datetime) -> datetime:
    return read_time(event.metadata.get("event_time"), connection, arrived)


def _id(event: _LiveEvent) -> str:
    """Return an id for the event, which has none: what it says, and the request or job that caused it."""
    metadata = event.metadata
    cause = metadata.get("request_id") or metadata.get("job_id")
    return hashed_id(["canvas", event.name, metadata.get("event_time"), metadata.get("user_id"), cause, event.body])
