"""The publisher's own limits; what it does to a Redis is in tests/integration/test_publisher.py."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from worker.client import EventPublisher
from worker.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


def test_a_publisher_imports_neither_postgresql_nor_celery() -> None:
    code = (
        "import sys, worker.client; print({'celery', 'kombu', 'psycopg', 'sqlalchemy', 'alembic'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"


def test_without_a_url_a_sentence_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL not set"):
        EventPublisher()


@pytest.mark.parametrize(
    "activity",
    [
        {"user_course_id": 0, "topic_id": 1, "lesson_id": 1},
        {"user_course_id": 1, "topic_id": 1},
        {"user_course_id": 1, "topic_id": 1, "lesson_id": "1", "duration_seconds": 30},
    ],
)
def test_an_event_out_of_range_is_refused_before_redis_is_asked(activity: dict[str, Any]) -> None:
    publisher = EventPublisher("redis://127.0.0.1:1/0")
    with pytest.raises(ValidationError):
        publisher.lesson_viewed(**activity)
    with pytest.raises(ValidationError):
        publisher.lesson_completed(**activity)
