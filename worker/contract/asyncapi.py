"""The contract as an AsyncAPI 3.0 document, made of the models themselves; `docs/asyncapi.json` is its committed copy.

Knows no server and no setting of this process: the document says what holds by default.
"""

from typing import Any

from pydantic.json_schema import models_json_schema

from worker.contract.entry import FIELD, GROUP
from worker.contract.event import EVENT_TYPES, MAX_EVENT_CHARACTERS, MAX_OUTLINE_CHARACTERS, CloudEvent, CourseOutlined
from worker.contract.identity import MAX_SEQUENCE
from worker.contract.member import EARLIEST_TIME
from worker.contract.parse import MAX_AHEAD_MILLISECONDS
from worker.settings import Settings

_STREAM: str = Settings.model_fields["stream_key"].default
_PARTITIONS: int = Settings.model_fields["stream_partitions"].default

_DESCRIPTION = f"""\
Events that a learning management system appends to Redis Streams. Each entry has one field, `{FIELD}`, that holds one
CloudEvents 1.0 event as a JSON object in UTF-8 (structured mode):

    XADD {_STREAM} * {FIELD} '{{"specversion":"1.0", …}}'

* Identity is (`source`, `id`): an `id` that is a UUID is the identity as it is; another string becomes a UUIDv5 of
  both. An event may be sent again and in any order; it counts once. An identity is known among the lesson events and
  corrections of one enrollment, the `enrollment.created` of one enrollment, or the outlines of one course: another
  event there is set aside (`identity_conflict`). The same id in two enrollments is two events, both applied. The nil
  and the max UUID are no identity. An event that says `untimed` is the same one whatever its `time`.
* Events of one `time` are ordered by `sequence` where it is given; then a completion comes before a view, and of
  several lessons the last one in the outline is the position. Of two outlines, or two enrollments, of one time and
  sequence the one that arrived later is live.
* Sequences are compared byte by byte, in UTF-8. Before that whole numbers, and strings of digits up to
  {MAX_SEQUENCE}, are padded with zeros to 20 digits: they go by their value. An event without one comes first.
* An enrollment stays its user's: an event that names another is set aside (`enrollment_conflict`). One that the LMS
  inserted itself stays in its course too: an event that names another is superseded. Its `timezone` rules from the
  event's `time` on all the same.
* A time zone is a name of Python's tz database, spelled as there; any other name counts as not sent, which means UTC.
* A lesson of an outline may name its earlier places, all of them, in `moved_from`: what was done there counts for it
  (highest status, latest view, earliest completion). A place that the outline lists itself stays that lesson's own, so
  two lessons cannot swap places; of several lessons that name one place the first has it.
* `time` carries an offset, lies in the year {EARLIEST_TIME.year} or later, and at most \
{MAX_AHEAD_MILLISECONDS // 60_000} minutes ahead of the millisecond in the entry's stream id or of the worker's clock, \
whichever is later.
* An event has at most {MAX_EVENT_CHARACTERS:,} characters, a `course.outlined` at most {MAX_OUTLINE_CHARACTERS:,}; \
one that is escaped (`\\u00e9`) counts as one.
* Integers are written as integers: neither `"1"` nor `1.0`. Unknown members are ignored. An \
optional member that is not valid counts as not sent; its event is applied.
* What breaks these rules is kept as a dead letter with its reason; an unknown `type` is one too, never dropped.
"""

_ENVELOPE = {"specversion": "1.0", "source": "/moodle", "time": "2025-07-14T10:30:00Z"}
_LESSON = {"user_course_id": 1, "topic_id": 3, "lesson_id": 8}
_EXAMPLE_DATA: dict[str, dict[str, Any]] = {
    "lesson.viewed": {**_LESSON, "section_id": 2, "duration_seconds": 95},
    "lesson.completed": _LESSON,
    "enrollment.created": {"user_course_id": 1, "user_id": 7, "course_id": 5, "timezone": "Europe/Berlin"},
    "course.outlined": {
        "course_id": 5,
        "lessons": [
            {"topic_id": 3, "lesson_id": 8, "title": "Welcome"},
            {"topic_id": 4, "lesson_id": 9, "moved_from": [{"topic_id": 3, "lesson_id": 9}]},
        ],
    },
    "progress.corrected": {
        **_LESSON,
        "status": "completed",
        "last_viewed_at": "2025-07-14T10:30:00Z",
        "completed_at": "2025-07-11T08:00:00Z",
    },
}


def document() -> dict[str, Any]:
    """The whole document; equal for equal models."""
    messages = {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in EVENT_TYPES}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Course progress events",
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "plain": {
                "address": _STREAM,
                "title": "The plain stream",
                "description": "For publishers that do not choose a partition. Takes every event.",
                "messages": messages,
            },
            "partition": {
                "address": f"{_STREAM}:{{partition}}",
                "title": "The partitions",
                "description": "Faster: an enrollment's events share a partition. All partitions take every event.",
                "parameters": {
                    "partition": {
                        "description": f"`user_course_id` modulo {_PARTITIONS}; of an outline, `course_id`.",
                        "enum": [str(number) for number in range(_PARTITIONS)],
                    }
                },
                "messages": messages,
            },
        },
        "operations": {
            f"receiveFrom{name.capitalize()}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": f"Read by the consumer group `{GROUP}`, validated, recorded and acknowledged.",
                "messages": [{"$ref": f"#/channels/{name}/messages/{kind.__name__}"} for kind in EVENT_TYPES],
            }
            for name in ("plain", "partition")
        },
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in EVENT_TYPES},
            "schemas": _schemas(),
        },
    }


def _message(kind: type[CloudEvent]) -> dict[str, Any]:
    name: str = kind.model_fields["type"].default
    limit = MAX_OUTLINE_CHARACTERS if kind is CourseOutlined else MAX_EVENT_CHARACTERS
    example_id = f"0198a1b2-c3d4-7e5f-8a9b-{EVENT_TYPES.index(kind):012d}"
    return {
        "name": name,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip(),
        "description": f"At most {limit:,} characters.",
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "examples": [
            {
                "name": name,
                "payload": {**_ENVELOPE, "id": example_id, "type": name, "data": _EXAMPLE_DATA[name]},
            }
        ],
    }


def _schemas() -> dict[str, Any]:
    """The models' schemas; what tells an event from another is required, though the models could do without."""
    _, definitions = models_json_schema(
        [(kind, "validation") for kind in EVENT_TYPES], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = definitions["$defs"]
    for kind in EVENT_TYPES:
        required = ["specversion", "id", "source", "type", "time", "data"]
        schemas[kind.__name__]["required"] = required
        limits = {"x-earliest": EARLIEST_TIME.isoformat(), "x-latest-ahead-milliseconds": MAX_AHEAD_MILLISECONDS}
        schemas[kind.__name__]["properties"]["time"] |= limits
    return schemas
