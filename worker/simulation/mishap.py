"""What goes wrong in publishing: duplicates in another format, and events that can never be applied."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from worker.contract.entry import Reason
from worker.contract.event import MAX_EVENT_CHARACTERS, MAX_OUTLINE_CHARACTERS, partition_key
from worker.simulation.published import Published, cloud_event, encode

Change = Callable[[dict[str, Any]], object]


def reformatted(event: dict[str, Any]) -> bytes:
    """Return the same event with another member order, spacing and offset, and an unknown member."""
    time = datetime.fromisoformat(event["time"]).astimezone(timezone(timedelta(hours=2)))
    changed = {**event, "id": event["id"].upper() if len(event["id"]) == 36 else event["id"], "time": time.isoformat()}
    return json.dumps({"attempt": 2, **dict(reversed(changed.items()))}, ensure_ascii=False, indent=1).encode()


def bad_events(event_id: Callable[[], str], user_course_id: int, unknown: int, time: datetime) -> list[Published]:
    """Return one event of each bad kind. Enrollment `user_course_id` exists; those from `unknown` never will."""

    def viewed(change: Change | None = None, **data: Any) -> dict[str, Any]:
        members: dict[str, Any] = {"user_course_id": user_course_id, "topic_id": 101, "lesson_id": 1001, **data}
        event = cloud_event(event_id(), "lesson.viewed", time, members)
        if change:
            change(event)
        return event

    def outline(lessons: list[dict[str, Any]]) -> dict[str, Any]:
        return cloud_event(event_id(), "course.outlined", time, {"course_id": 1, "lessons": lessons})

    def wrong(event: dict[str, Any], reason: Reason) -> Published:
        return Published(encode(event), partition_key(event["data"]), reason)

    member = {"user_id": 1, "course_id": 1}
    enrollment = {"user_course_id": user_course_id, **member}
    invalid, out_of_range = Reason.INVALID_EVENT, Reason.TIME_OUT_OF_RANGE
    return [
        Published(None, user_course_id, Reason.MISSING_FIELD),
        Published(encode(viewed())[:-20], user_course_id, Reason.INVALID_JSON),
        Published(b"", user_course_id, Reason.INVALID_JSON),
        Published(encode(viewed(note="?")).replace(b"?", b"\xff\xfe"), user_course_id, Reason.INVALID_JSON),
        Published(encode(viewed(note="?")).replace(b"?", b"\x00"), user_course_id, Reason.INVALID_JSON),
        wrong(cloud_event("0" * 32, "enrollment.created", time, enrollment), invalid),
        wrong(viewed(lambda event: event["data"].pop("lesson_id")), invalid),
        wrong(viewed(lesson_id=2**31), invalid),
        wrong(viewed(user_course_id=2**63), invalid),
        wrong(viewed(topic_id=0), invalid),
        wrong(viewed(lesson_id="1001"), invalid),
        wrong(viewed(lesson_id=1001.0), invalid),
        wrong(viewed(lambda event: event.update(time="2025-03-01T10:00:00")), invalid),
        wrong(viewed(lambda event: event.pop("type")), invalid),
        wrong(outline([{"topic_id": 101, "lesson_id": 1001}] * 2), invalid),
        wrong(viewed(lambda event: event.update(time="9999-12-31T23:59:59Z")), out_of_range),
        wrong(viewed(lambda event: event.update(time="1979-12-31T23:59:59Z")), out_of_range),
        wrong(viewed(lambda event: event.update(type="lesson.liked")), Reason.UNKNOWN_TYPE),
        wrong(viewed(note="x" * MAX_EVENT_CHARACTERS), Reason.TOO_LARGE),
        wrong(outline([{"topic_id": 1, "lesson_id": 1, "title": "x" * MAX_OUTLINE_CHARACTERS}]), Reason.TOO_LARGE),
        wrong(viewed(user_course_id=unknown), Reason.UNKNOWN_ENROLLMENT),
        wrong(viewed(user_course_id=unknown + 1), Reason.UNKNOWN_ENROLLMENT),
    ]
