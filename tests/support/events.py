"""Builders of valid events and of the stream entries that carry them. Every argument has a default that fits."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from worker.contract.entry import Entry
from worker.contract.event import (
    CloudEvent,
    CourseOutlined,
    EnrollmentCreated,
    Event,
    LessonCompleted,
    LessonReopened,
    LessonViewed,
    ProgressCorrected,
)
from worker.contract.named_event import NAMED_EVENT_TYPES, NamedEvent

START = datetime(2025, 7, 14, 10, 30, tzinfo=UTC)
"""The time of an event that says nothing else; `at(7)` is 7 seconds later."""

ENTRY_MILLISECONDS = 1_900_000_000_000
"""Redis' clock in the entries made here: later than every event time in the tests."""

_sequence = count(1)


def at(seconds: float) -> datetime:
    """So many seconds after START."""
    return START + timedelta(seconds=seconds)


def viewed(
    user_course_id: int = 1, topic_id: int = 1, lesson_id: int = 1, *, seconds: float = 0, **other: Any
) -> LessonViewed:
    """`lesson.viewed`; `section_id`, `duration_seconds`, `id` and `source` may be given."""
    return LessonViewed.model_validate(_lesson(user_course_id, topic_id, lesson_id, seconds, other))


def completed(
    user_course_id: int = 1, topic_id: int = 1, lesson_id: int = 1, *, seconds: float = 0, **other: Any
) -> LessonCompleted:
    """`lesson.completed`, like `viewed`."""
    return LessonCompleted.model_validate(_lesson(user_course_id, topic_id, lesson_id, seconds, other))


def corrected(
    user_course_id: int = 1,
    topic_id: int = 1,
    lesson_id: int = 1,
    *,
    seconds: float = 0,
    status: str = "not_started",
    last_viewed_at: datetime | None = None,
    completed_at: datetime | None = None,
    **envelope: Any,
) -> ProgressCorrected:
    """`progress.corrected` with a whole snapshot."""
    data = {"user_course_id": user_course_id, "topic_id": topic_id, "lesson_id": lesson_id, "status": status}
    data |= {"last_viewed_at": last_viewed_at, "completed_at": completed_at}
    return ProgressCorrected.model_validate({**_envelope(seconds, envelope), "data": data})


def enrolled(
    user_course_id: int = 1, *, user_id: int = 7, course_id: int = 3, seconds: float = -60, **other: Any
) -> EnrollmentCreated:
    """`enrollment.created`; `timezone`, `id` and `source` may be given."""
    data = {"user_course_id": user_course_id, "user_id": user_id, "course_id": course_id}
    data |= {"timezone": other.pop("timezone", None)}
    return EnrollmentCreated.model_validate({**_envelope(seconds, other), "data": data})


def outlined(
    course_id: int = 3,
    lessons: Iterable[
        tuple[int, int] | tuple[int, int, str | None] | tuple[int, int, str | None, Iterable[tuple[int, int]]]
    ] = (),
    *,
    seconds: float = 0,
    **envelope: Any,
) -> CourseOutlined:
    """`course.outlined` with (topic, lesson[, title[, moved from]]) tuples, in order."""
    members = [_outline_lesson(*lesson) for lesson in lessons]
    data = {"course_id": course_id, "lessons": members}
    return CourseOutlined.model_validate({**_envelope(seconds, envelope), "data": data})


def reopened(
    user_course_id: int = 1, topic_id: int = 1, lesson_id: int = 1, *, seconds: float = 0, **envelope: Any
) -> LessonReopened:
    """`lesson.reopened`."""
    return LessonReopened.model_validate(_lesson(user_course_id, topic_id, lesson_id, seconds, envelope))


def numbered(event: Event | NamedEvent) -> Event:
    """The event, which has numbers, not names."""
    assert not isinstance(event, NAMED_EVENT_TYPES)
    return event


def body(event: CloudEvent) -> bytes:
    """The event as a publisher sends it."""
    return event.to_json()


def entry(content: CloudEvent | dict[str, Any] | bytes | None, *, stream: str = "lesson-events") -> Entry:
    """A stream entry, unlike any other, that carries an event, a JSON object, some bytes or nothing."""
    if isinstance(content, CloudEvent):
        content = body(content)
    elif isinstance(content, dict):
        content = json.dumps(content).encode()
    return Entry(stream, f"{ENTRY_MILLISECONDS}-{next(_sequence)}", content)


def entries(events: Iterable[CloudEvent]) -> list[Entry]:
    """One entry for each event, in order."""
    return [entry(event) for event in events]


def as_json(event: CloudEvent) -> dict[str, Any]:
    """The event as a JSON object, to be bent out of shape."""
    content: dict[str, Any] = json.loads(body(event))
    return content


def _lesson(
    user_course_id: int, topic_id: int, lesson_id: int, seconds: float, other: dict[str, Any]
) -> dict[str, Any]:
    data = {"user_course_id": user_course_id, "topic_id": topic_id, "lesson_id": lesson_id}
    data |= {name: other.pop(name) for name in ("section_id", "duration_seconds") if name in other}
    return {**_envelope(seconds, other), "data": data}


def _outline_lesson(
    topic_id: int, lesson_id: int, title: str | None = None, moved_from: Iterable[tuple[int, int]] = ()
) -> dict[str, Any]:
    places = [{"topic_id": topic, "lesson_id": lesson} for topic, lesson in moved_from]
    return {"topic_id": topic_id, "lesson_id": lesson_id, "title": title, "moved_from": places or None}


def _envelope(seconds: float, other: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(uuid4()), "source": "/test", "time": at(seconds), **other}
