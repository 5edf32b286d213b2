"""The contract as an AsyncAPI 3.0 document, generated from the models; `docs/asyncapi.json` is its committed copy."""

from typing import Any

from pydantic.json_schema import models_json_schema

from worker.contract.entry import FIELD, GROUP
from worker.contract.event import EVENT_TYPES, MAX_EVENT_CHARACTERS, MAX_OUTLINE_CHARACTERS, CloudEvent, CourseOutlined
from worker.contract.event_examples import event_example
from worker.contract.event_time import EARLIEST_TIME, MAX_AHEAD_MILLISECONDS
from worker.contract.identity import MAX_SEQUENCE
from worker.contract.named_event import NAMED_EVENT_TYPES, NUMBERS
from worker.contract.value_types import MAX_NAME_BYTES

FORMS: dict[str, tuple[type[CloudEvent], ...]] = {
    kind.__name__: (kind, *(named for named in NAMED_EVENT_TYPES if named.__name__ == f"Named{kind.__name__}"))
    for kind in EVENT_TYPES
}
"""The models of each event type: with numbers and, but for corrections, with names."""

_EXCLUDED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(["LessonActivity", "Reopening", "Enrollment", "Correction"], ("learner",)),
    "Outline": ("learner", "course"),
    **dict.fromkeys(["NamedLesson", "NamedEnrollment", "NamedOutline", "NamedOutlineLesson"], NUMBERS),
}
"""Members of the other form, by schema."""


def document(stream_key: str, partitions: int) -> dict[str, Any]:
    """Return the document for these streams; equal for equal models."""
    messages = {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in EVENT_TYPES}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Course progress events",
            "version": "1.0.0",
            "description": _description(stream_key),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "plain": {
                "address": stream_key,
                "title": "The plain stream",
                "description": "For publishers that do not choose a partition. Accepts every event.",
                "messages": messages,
            },
            "partition": {
                "address": f"{stream_key}:{{partition}}",
                "title": "The partitions",
                "description": "Faster: a learner's events share a partition. Every partition accepts every event.",
                "parameters": {
                    "partition": {
                        "description": f"`user_course_id` modulo {partitions}; for an outline, `course_id`. "
                        "With names, the CRC-32 of the `learner` in UTF-8; for an outline, of the `course`.",
                        "enum": [str(number) for number in range(partitions)],
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
            "schemas": event_schemas("#/components/schemas/{model}"),
        },
    }


def _description(stream_key: str) -> str:
    return f"""\
Events that a learning management system appends to Redis Streams. Each entry has one field, `{FIELD}`, which holds one
CloudEvents 1.0 event as a JSON object in UTF-8 (structured mode):

    XADD {stream_key} * {FIELD} '{{"specversion":"1.0", …}}'

* An event's identity is (`source`, `id`). An `id` that is a UUID is used as it is; any other string becomes a UUIDv5 of
  both. Events may be repeated and arrive in any order; each counts once. Identities are unique among the lesson events
  and corrections of one enrollment, the `enrollment.created` of one enrollment, or the outlines of one course. A
  different event with the same identity becomes a dead letter (`identity_conflict`). The same id in two enrollments
  means two events, both applied. The nil and the max UUID are not identities. An `untimed` event stays the same event
  whatever its `time`.
* Events with equal `time` are ordered by `sequence`, if given. Then completions precede views, and among several
  lessons the last one in the outline becomes the position. Among outlines, or enrollments, with equal time and
  sequence, the one that arrived last is live.
* Sequences are compared bytewise in UTF-8, after padding integers and strings of digits up to {MAX_SEQUENCE} with zeros
  to 20 digits, so numbers sort by value. An event without a sequence comes first.
* An enrollment's user never changes: an event that names another one becomes a dead letter (`enrollment_conflict`). The
  course of an enrollment that the LMS inserted itself never changes either: an event that names another course is
  superseded, but its `timezone` still applies from the event's `time`.
* Learners, courses, topics and lessons have numbers, or the names that the LMS has for them: `learner`, `course`,
  `topic` and `lesson` in place of `user_course_id` and the other numbers. An event has numbers or names, never both.
* A name has 1 to {MAX_NAME_BYTES:,} bytes in UTF-8, none NUL, and is compared byte for byte. Names belong to `source`,
  the connection: the same name from another source is another learner, course or lesson. So `source` has these limits
  too. A longer name can be replaced by `sha256:` and its digest in hexadecimal. The names of lessons
  and topics also belong to their course.
* The event of a learner who is not enrolled enrolls them, dated before all others: a real `enrollment.created`, with
  the time zone, rules whenever it comes. With `enrols` false the event waits for the enrollment, as with numbers.
* Without `course` the lesson is found by its name. While no course or several courses have it, the event waits
  (`unknown_lesson`) until an outline names the lesson.
* A lesson of an outline may list in `aliases` its other names. It keeps the topic in which it was first named.
* `lesson.reopened` is a correction: in progress, last viewed at its `time`, not completed. Events in the lesson at or
  before its time are ignored, later ones count.
* A time zone is a name in Python's tz database, spelled exactly; any other name counts as not sent, which means UTC.
* A lesson of an outline may list all its earlier places in `moved_from`. Progress there counts for it (highest status,
  latest view, earliest completion). A place that is itself in the outline stays with its own lesson, so two lessons
  cannot swap places. If several lessons name one place, the first gets it.
* `time` has an offset, is in {EARLIEST_TIME.year} or later, and is at most {MAX_AHEAD_MILLISECONDS // 60_000} minutes \
ahead of the later of two clocks: the millisecond in the entry's stream id, and the worker's clock.
* An event has at most {MAX_EVENT_CHARACTERS:,} characters, a `course.outlined` at most {MAX_OUTLINE_CHARACTERS:,}. An \
escaped character (`\\u00e9`) counts as one.
* Integers must be JSON integers, neither `"1"` nor `1.0`. Unknown members are ignored. An invalid optional member \
counts as not sent; its event is applied.
* Events that break these rules, or have an unknown `type`, are kept as dead letters with a reason, never dropped.
"""


def _message(kind: type[CloudEvent]) -> dict[str, Any]:
    name: str = kind.model_fields["type"].default
    limit = MAX_OUTLINE_CHARACTERS if kind is CourseOutlined else MAX_EVENT_CHARACTERS
    return {
        "name": name,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip(),
        "description": f"At most {limit:,} characters.",
        "payload": {"oneOf": [{"$ref": f"#/components/schemas/{form.__name__}"} for form in FORMS[kind.__name__]]},
        "examples": [{"name": form.__name__, "payload": event_example(form)} for form in FORMS[kind.__name__]],
    }


def event_schemas(ref_template: str) -> dict[str, Any]:
    """Return the models' schemas by name, with the members required that the models have defaults for.

    The two forms of a type, see FORMS, exclude each other.
    """
    kinds = [form for forms in FORMS.values() for form in forms]
    _, definitions = models_json_schema([(kind, "validation") for kind in kinds], ref_template=ref_template)
    schemas: dict[str, Any] = definitions["$defs"]
    for name, members in _EXCLUDED.items():
        schemas[name]["not"] = {"anyOf": [{"required": [member]} for member in members]}
    for kind in kinds:
        required = ["specversion", "id", "source", "type", "time", "data"]
        schemas[kind.__name__]["required"] = required
        limits = {"x-earliest": EARLIEST_TIME.isoformat(), "x-latest-ahead-milliseconds": MAX_AHEAD_MILLISECONDS}
        schemas[kind.__name__]["properties"]["time"] |= limits
    return schemas
