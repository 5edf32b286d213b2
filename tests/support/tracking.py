"""Tracking events of Open edX for the tests, and what they become."""

import json
from datetime import UTC, datetime
from typing import Any

from worker.adapters.edx import translate
from worker.adapters.outcome import Ignored, Rejected
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent

ARRIVED = datetime(2026, 11, 30, tzinfo=UTC)
COURSE = "course-v1:edX+DemoX+2024"
CCX = "ccx-v1:edX+DemoX+2024+ccx@7"
OLD_COURSE = "edX/Demo.X/2013"
HTML = "block-v1:edX+DemoX+2024+type@html+block@welcome"
PROBLEM = "block-v1:edX+DemoX+2024+type@problem+block@p_1_2"
UNIT = "block-v1:edX+DemoX+2024+type@vertical+block@unit1"
SEQUENCE = "block-v1:edX+DemoX+2024+type@sequential+block@seq1"
COMPLETION = "edx.completion.block_completion.changed"
AGGREGATE = "openedx.completion_aggregator.progress."
TIME = "2024-03-04T10:30:00.123456+00:00"


def tracked(name: str = COMPLETION, data: object = None, **changes: Any) -> dict[str, Any]:
    """A tracking event as its tracker sends it; `context` is added to the context, other changes to the event."""
    context = {"course_id": COURSE, "user_id": 3, "username": "staff", "ip": "192.0.2.7", "host": "lms.example"}
    context |= changes.pop("context", {})
    if data is None:
        data = {"user_id": 4, "course_id": COURSE, "block_id": HTML, "completion": 1.0, "is_new": True}
    return {"name": name, "timestamp": TIME, "data": data, "context": context} | changes


def logged(event: dict[str, Any], *, in_text: bool = False) -> dict[str, Any]:
    """The same event as the LMS writes it to its log, with the payload as JSON in a text if a browser sent it."""
    context = dict(event["context"])
    moved = {key: context.pop(key, "") for key in ("username", "session", "ip", "agent", "host", "referer")}
    payload = json.dumps(event["data"]) if in_text else event["data"]
    return moved | {
        "name": event["name"],
        "event_type": event["name"],
        "event_source": context.pop("event_source", "browser" if in_text else "server"),
        "time": event["timestamp"],
        "event": payload,
        "context": context,
        "page": None,
    }


def become(record: object, arrived: datetime = ARRIVED, **options: Any) -> list[NamedEvent]:
    return translate(record, Connection.model_validate({"name": "edx-test", **options}), arrived)


def outcome(record: object, **options: Any) -> str:
    """The event's type, the reason why it is ignored, or `rejected: ` and the reason."""
    try:
        (event,) = become(record, **options)
    except Ignored as ignored:
        return ignored.reason
    except Rejected as rejected:
        return f"rejected: {rejected.reason}"
    return event.type


def event_of(record: object, **options: Any) -> Any:
    (event,) = become(record, **options)
    return event
