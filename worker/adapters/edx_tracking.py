"""Translate tracking events of Open edX, as its log has them or its tracker sends them."""

import json
from datetime import datetime
from enum import Enum, auto
from typing import Any

from pydantic_core import from_json

from worker.adapters.edx_keys import (
    CONTAINERS,
    Block,
    block_in_url,
    course_of,
    read_block,
    read_video,
    unescaped,
)
from worker.adapters.names import hashed_id, mail_name, to_name
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.times import read_time
from worker.contract.connection import Connection
from worker.contract.named_event import (
    NamedEnrollment,
    NamedEnrollmentCreated,
    NamedEvent,
    NamedLesson,
    NamedLessonCompleted,
    NamedLessonEvent,
    NamedLessonReopened,
    NamedLessonViewed,
)

JsonObject = dict[str, Any]


class _Kind(Enum):
    COMPLETION = auto()
    AGGREGATE = auto()
    """The share of a unit, subsection or section that is complete."""
    ENROLLED = auto()
    SEQUENCE = auto()
    OUTLINE = auto()
    VIDEO = auto()
    VIDEO_ENDED = auto()
    CHECKED = auto()
    SUBMITTED = auto()


_KINDS = {
    "edx.completion.block_completion.changed": _Kind.COMPLETION,
    "edx.course.enrollment.activated": _Kind.ENROLLED,
    "edx.ui.lms.outline.selected": _Kind.OUTLINE,
    "edx.ui.lms.sequence.outline.selected": _Kind.OUTLINE,
    "problem_check": _Kind.CHECKED,
    "edx.grades.problem.submitted": _Kind.SUBMITTED,
    **{f"{action}_video": _Kind.VIDEO for action in ("load", "play", "pause", "seek")},
    **dict.fromkeys(("stop_video", "complete_video", "edx.video.stopped", "edx.video.completed"), _Kind.VIDEO_ENDED),
}
_UNENROLLED = "edx.course.enrollment.deactivated"
_AGGREGATES = "openedx.completion_aggregator.progress."
_PREFIXES = {
    _AGGREGATES: _Kind.AGGREGATE,
    "edx.ui.lms.sequence.": _Kind.SEQUENCE,
    "seq_": _Kind.SEQUENCE,
    "edx.video.": _Kind.VIDEO,
}
_BLOCK_MEMBERS = {
    _Kind.COMPLETION: ("block_id", ""),
    _Kind.AGGREGATE: ("block_id", ""),
    _Kind.SEQUENCE: ("id", "sequential"),
    _Kind.CHECKED: ("problem_id", "problem"),
    _Kind.SUBMITTED: ("problem_id", "problem"),
}
"""Where the payload has the usage key, and the type of what is no such key."""
_INFERRED = frozenset({_Kind.VIDEO_ENDED, _Kind.SUBMITTED})


def translate_event(record: JsonObject, connection: Connection, arrived: datetime) -> list[NamedEvent]:
    """Return the event of a tracking event; see `worker.adapters.translation.Translate`."""
    name = record.get("name") or record.get("event_type")
    if not isinstance(name, str) or not name:
        raise Rejected("missing_member", "The record has neither a name nor an event_type")
    kind = _kind(name, record)
    payload = _payload(record)
    data, context = _object(payload), _context(record)
    learner = _learner(record, data, context)
    course = _course(data, context)
    if kind is _Kind.ENROLLED:
        if not course:
            raise _missing("a course_id")
        time = read_time(record.get("timestamp") or record.get("time"), connection, arrived)
        enrollment = NamedEnrollment(learner=learner, course=to_name(course), timezone=connection.timezone or "UTC")
        event_id = _id(name, time, learner, payload)
        return [NamedEnrollmentCreated(id=event_id, source=connection.name, time=time, data=enrollment)]
    block = _block(kind, data, course)
    is_container = block.type in CONTAINERS
    if is_container if connection.edx_level == "block" else block.type != connection.edx_level:
        raise Ignored("other_level")
    event_type = _event_type(kind, data, connection)
    time = read_time(record.get("timestamp") or record.get("time"), connection, arrived)
    course = course or course_of(block)
    return [
        event_type(
            id=_id(name, time, learner, payload),
            source=connection.name,
            time=time,
            data=NamedLesson(learner=learner, lesson=to_name(block.name), course=to_name(course) if course else None),
        )
    ]


def _kind(name: str, record: JsonObject) -> _Kind:
    """Return what the event tells. Raises Ignored."""
    if name[0] == "/":  # a request, as most lines of a log
        raise Ignored("event_type")
    if name == _UNENROLLED:
        raise Ignored("unenrolment")
    if name == f"{_AGGREGATES}course":
        raise Ignored("course_level")
    kind = _KINDS.get(name) or next((kind for prefix, kind in _PREFIXES.items() if name.startswith(prefix)), None)
    if not kind or (kind is _Kind.CHECKED and not _is_of_server(record)):
        raise Ignored("event_type")
    return kind


def _is_of_server(record: JsonObject) -> bool:
    source = record.get("event_source") or _context(record).get("event_source")
    return source == "server"


def _payload(record: JsonObject) -> object:
    """Return `data`, of a log `event`: what is JSON in a text is parsed."""
    payload = record.get("data")
    if payload is None:
        payload = record.get("event")
    return _parsed(payload)


def _context(record: JsonObject) -> JsonObject:
    return _object(_parsed(record.get("context")))


def _parsed(value: object) -> object:
    """Return the JSON that a text is; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value)
    except ValueError:
        pass
    try:
        return json.loads(value)  # keeps unpaired surrogates
    except (ValueError, RecursionError):
        return value


def _learner(record: JsonObject, data: JsonObject, context: JsonObject) -> str:
    """Return who the event is of; `context` has who caused it, a teacher perhaps. Raises Ignored, `anonymous`."""
    for value in (data.get("user_id"), context.get("user_id")):
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return to_name(f"user:{value}")
        if isinstance(value, str) and (text := value.strip()) and text != "0":
            return mail_name(text) if "@" in text else to_name(f"user:{text}")
    for value in (context.get("username"), record.get("username")):
        if isinstance(value, str) and (text := value.strip()):
            return mail_name(text) if "@" in text else to_name(f"username:{text}")
    raise Ignored("anonymous")


def _course(data: JsonObject, context: JsonObject) -> str | None:
    for value in (data.get("course_id"), context.get("course_id")):
        if isinstance(value, str) and (course := unescaped(value)):
            return course
    return None


def _block(kind: _Kind, data: JsonObject, course: str | None) -> Block:
    """Return the block that the event is about. Raises Rejected, `missing_member`, and Ignored, `not_a_lesson`."""
    if kind is _Kind.OUTLINE:
        target = _text(data, "target_url")
        if not target:
            raise _missing("a target_url")
        if block := block_in_url(target, course):
            return block
        raise Ignored("not_a_lesson")
    if kind in _BLOCK_MEMBERS:
        member, block_type = _BLOCK_MEMBERS[kind]
        if key := _text(data, member):
            return read_block(key, block_type or _text(data, "block_type"))
        raise _missing(f"a {member}")
    key = _text(data, "id") or _text(data, "module_id")
    if key and (video := read_video(key, course)):
        return video
    raise _missing("the id of a video and the course_id")


def _event_type(kind: _Kind, data: JsonObject, connection: Connection) -> type[NamedLessonEvent]:
    if kind is _Kind.COMPLETION or kind is _Kind.AGGREGATE:
        member = "completion" if kind is _Kind.COMPLETION else "percent"
        share = data.get(member)
        if not isinstance(share, int | float) or isinstance(share, bool) or not share >= 0:
            raise _missing(f"a number in {member}")
        if share >= 1:
            return NamedLessonCompleted
        if share > 0:
            return NamedLessonViewed
        if kind is _Kind.AGGREGATE or data.get("is_new") is True:
            raise Ignored("not_started")
        return NamedLessonReopened
    return NamedLessonCompleted if connection.infer and kind in _INFERRED else NamedLessonViewed


def _id(name: str, time: datetime, learner: str, payload: object) -> str:
    """Return the same id for the log's line and the event on the bus, which write the time in two ways."""
    return hashed_id(["edx", name, f"{time:%Y-%m-%dT%H:%M:%S.%fZ}", learner, payload])


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(data: JsonObject, member: str) -> str:
    value = data.get(member)
    return value.strip() if isinstance(value, str) else ""


def _missing(what: str) -> Rejected:
    return Rejected("missing_member", f"The event needs {what}")
