"""An example of each event type in each form, for the published documents."""

from typing import Any

from worker.contract.event import EVENT_TYPES, CloudEvent
from worker.contract.named_event import NAMED_EVENT_TYPES

_ENVELOPE = {"specversion": "1.0", "time": "2025-07-14T10:30:00Z"}
_LESSON = {"user_course_id": 1, "topic_id": 3, "lesson_id": 8}
_NAMES = {"learner": "user:4", "lesson": "cm:8", "course": "course:5"}
_DATA: dict[str, dict[str, Any]] = {
    "lesson.viewed": {**_LESSON, "section_id": 2, "duration_seconds": 95},
    "lesson.completed": _LESSON,
    "lesson.reopened": _LESSON,
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
_NAMED_DATA: dict[str, dict[str, Any]] = {
    "lesson.viewed": {**_NAMES, "topic": "section:3", "duration_seconds": 95, "enrols": False},
    "lesson.completed": _NAMES,
    "lesson.reopened": _NAMES,
    "enrollment.created": {"learner": "user:4", "course": "course:5", "timezone": "Europe/Berlin"},
    "course.outlined": {
        "course": "course:5",
        "lessons": [
            {"lesson": "cm:8", "topic": "section:3", "title": "Welcome"},
            {"lesson": "cm:9", "aliases": ["quiz:2", "https://lms.example/mod/quiz/view.php?id=9"]},
        ],
    },
}


def event_example(form: type[CloudEvent]) -> dict[str, Any]:
    """Return the example of this model."""
    named = form in NAMED_EVENT_TYPES
    number = NAMED_EVENT_TYPES.index(form) + len(EVENT_TYPES) if named else EVENT_TYPES.index(form)
    kind = form.model_fields["type"].default
    return {
        **_ENVELOPE,
        "source": "moodle" if named else "/moodle",
        "id": f"0198a1b2-c3d4-7e5f-8a9b-{number:012d}",
        "type": kind,
        "data": (_NAMED_DATA if named else _DATA)[kind],
    }
