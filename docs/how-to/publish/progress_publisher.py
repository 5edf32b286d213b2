"""Publish progress events. Copy this file into your project: it needs Python 3.9 and redis-py, not the worker.

python progress_publisher.py        # publishes the example at the end to REDIS_URL
"""

import json
import os
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4
from zlib import crc32

from redis import Redis

STREAM = os.environ.get("PROGRESS_STREAM_KEY", "lesson-events")
PARTITIONS = 8  # as PROGRESS_STREAM_PARTITIONS of the workers
SOURCE = "/my-lms"  # names belong to it: keep it as it is


def new_event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Make an event that happened now. Best stored in an outbox table, in the transaction of what it reports."""
    now = datetime.now(timezone.utc).isoformat()  # noqa: UP017 - UTC is new in Python 3.11
    return {"specversion": "1.0", "id": str(uuid4()), "source": SOURCE, "type": kind, "time": now, "data": data}


def publish(redis: Redis, event: dict[str, Any]) -> None:
    """Append the event to the stream of its enrollment or learner, or of its course for an outline.

    After redis.RedisError publish the same event again, with the same id and time: it counts once. Only then delete it
    from the outbox.
    """
    data = event["data"]
    key = data.get("user_course_id", data.get("course_id"))
    if key is None:  # names
        key = crc32(data.get("learner", data.get("course")).encode())
    redis.xadd(f"{STREAM}:{key % PARTITIONS}", {"event": json.dumps(event)})


if __name__ == "__main__":
    lesson = {"user_course_id": 25, "topic_id": 1, "lesson_id": 1}
    lessons = [{"topic_id": 1, "lesson_id": 1, "title": "Größe & “Maß”"}, {"topic_id": 1, "lesson_id": 2}]
    with Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379/0")) as redis:
        for event in (
            new_event("course.outlined", {"course_id": 11, "lessons": lessons}),
            new_event("enrollment.created", {"user_course_id": 25, "user_id": 7, "course_id": 11}),
            new_event("lesson.viewed", {**lesson, "section_id": 2, "duration_seconds": 90}),
            new_event("lesson.completed", lesson),
            new_event("lesson.completed", {"learner": "user:Zoë", "course": "course:5", "lesson": "page:8"}),
        ):
            publish(redis, event)
