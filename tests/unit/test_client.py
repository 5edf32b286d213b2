"""The publisher's own limits; what it does to a Redis is in tests/integration/test_publisher.py."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import RedisError

from worker.client import AsyncEventPublisher, EventPublisher
from worker.contract.event import EVENT_TYPES
from worker.contract.parse import parse
from worker.errors import ConfigurationError, InputError
from worker.event_factory import EventFactory

ROOT = Path(__file__).parents[2]


def test_a_publisher_imports_neither_postgresql_nor_celery() -> None:
    code = (
        "import sys, worker.client; print({'celery', 'kombu', 'psycopg', 'sqlalchemy', 'alembic'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"


def test_without_a_url_a_sentence_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL is not set"):
        EventPublisher()
    with pytest.raises(ConfigurationError, match="REDIS_URL is not set"):
        AsyncEventPublisher()


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
    wrong = InputError if len(activity) > 2 else TypeError
    with pytest.raises(wrong):
        publisher.lesson_viewed(**activity)
    with pytest.raises(wrong):
        publisher.lesson_completed(**activity)


def test_an_id_as_text_and_what_is_no_event_are_refused_in_a_sentence() -> None:
    publisher: Any = EventPublisher("redis://127.0.0.1:1/0")
    with pytest.raises(InputError) as refused:
        publisher.lesson_viewed(user_course_id="1", topic_id=1, lesson_id=1)
    assert str(refused.value) == "The event would be refused: data.user_course_id: Input should be a valid integer."
    with pytest.raises(TypeError, match="not 'x'"):
        publisher.publish("x")


def test_an_error_of_redis_ends_with_a_sentence_without_the_password() -> None:
    publisher = EventPublisher("redis://:geheim@127.0.0.1:1/0", retries=0)
    with pytest.raises(RedisError) as refused:
        publisher.lesson_viewed(user_course_id=1, topic_id=1, lesson_id=1)
    (note,) = refused.value.__notes__
    assert note.startswith("Redis does not answer at 127.0.0.1:1/0")
    assert "geheim" not in note


def test_there_is_a_method_for_every_event_type_on_both_publishers_and_the_factory() -> None:
    for kind in EVENT_TYPES:
        name = kind.model_fields["type"].default.replace(".", "_")
        for each in (EventPublisher, AsyncEventPublisher, EventFactory):
            assert callable(getattr(each, name))


def test_a_misspelt_or_missing_argument_is_an_error_for_python_and_for_mypy() -> None:
    """For mypy because `make check` refuses an ignored error that is none."""
    publisher = EventPublisher("redis://127.0.0.1:1/0")
    with pytest.raises(TypeError, match="durations_seconds"):
        publisher.lesson_viewed(user_course_id=1, topic_id=2, lesson_id=3, durations_seconds=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="course_id"):
        publisher.enrollment_created(user_course_id=1, user_id=2)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="completed"):
        publisher.progress_corrected(user_course_id=1, topic_id=2, lesson_id=3, completed=True)  # type: ignore[call-arg]


def test_names_and_numbers_in_one_call_are_an_error_for_python_and_for_mypy() -> None:
    publisher = EventPublisher("redis://127.0.0.1:1/0", source="moodle")
    with pytest.raises(TypeError, match=r"lesson_viewed\(\) takes names or numbers, not both: learner or topic_id"):
        publisher.lesson_viewed(learner="ann", lesson="l1", topic_id=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="not both: lesson or topic_id"):
        publisher.lesson_completed(user_course_id=1, topic_id=2, lesson="l1")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="not both"):
        publisher.enrollment_created(learner="ann", course_id=3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="not both"):
        publisher.course_outlined(course="c1", course_id=3, lessons=[])  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="unexpected keyword argument 'duration_seconds'"):
        publisher.lesson_reopened(learner="ann", lesson="l1", duration_seconds=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="misses a required keyword argument: lesson"):
        publisher.lesson_reopened(learner="ann")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="names or numbers, not both: topic_id"):
        publisher.course_outlined(course="c1", lessons=[{"lesson": "l1", "topic_id": 1}])


@pytest.mark.parametrize("name", ["", "x" * 1_025, "ü" * 513, "a\0b", "\ud800"])
def test_what_is_no_name_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(InputError, match=r"The event would be refused: data\.learner: "):
        EventFactory("moodle").lesson_viewed(learner=name, lesson="l1")
    with pytest.raises(InputError, match="The event would be refused: source: "):
        EventFactory(name).lesson_viewed(learner="ann", lesson="l1")


def test_a_text_that_is_none_in_utf_8_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="no unpaired surrogate"):
        EventFactory("moodle").lesson_viewed(learner="\ud800", lesson="l1")
    with pytest.raises(InputError, match="no unpaired surrogate"):
        EventFactory("moodle").course_outlined(course="c1", lessons=[{"lesson": "\udfff"}])


def test_an_event_made_again_from_its_stored_json_is_the_same() -> None:
    when = datetime(2025, 7, 14, 10, 30, tzinfo=UTC)
    events = EventFactory("/lms")
    lesson: dict[str, Any] = {"user_course_id": 1, "topic_id": 2, "lesson_id": 3}
    for event in (
        events.lesson_viewed(**lesson, duration_seconds=1.5, occurred_at=when),
        events.lesson_completed(**lesson, event_id="e-1"),
        events.enrollment_created(user_course_id=1, user_id=2, course_id=3, timezone="Europe/Berlin"),
        events.course_outlined(course_id=3, lessons=[{"topic_id": 2, "lesson_id": 3, "title": "Größe"}]),
        events.lesson_reopened(**lesson),
        events.lesson_viewed(learner="Zoë", lesson="l1", topic="t", duration_seconds=1.5, enrols=False),
        events.lesson_completed(learner="Zoë", lesson="l1", course="c1", occurred_at=when),
        events.lesson_reopened(learner="Zoë", lesson="l1", course="c1"),
        events.enrollment_created(learner="Zoë", course="c1", timezone="Europe/Berlin"),
        events.course_outlined(course="c1", lessons=[{"lesson": "l1", "title": "Größe", "aliases": ["l2"]}]),
        events.progress_corrected(**lesson, status="completed", last_viewed_at=None, completed_at=when),
    ):
        assert parse(event.to_json(), datetime.now(UTC).timestamp() * 1000) == event
        assert event.source == "/lms"


def test_only_an_event_without_a_time_of_its_own_says_so() -> None:
    events, now = EventFactory("/lms"), datetime.now(UTC)
    assert b'"untimed":true' in events.lesson_viewed(user_course_id=1, topic_id=2, lesson_id=3).to_json()
    assert b'"untimed":true' in events.lesson_completed(learner="ann", lesson="l1").to_json()
    assert b"untimed" not in events.lesson_reopened(learner="ann", lesson="l1").to_json()
    timed = events.lesson_viewed(user_course_id=1, topic_id=2, lesson_id=3, occurred_at=now)
    assert b"untimed" not in timed.to_json()
    enrollment = events.enrollment_created(user_course_id=1, user_id=2, course_id=3)
    assert abs(enrollment.time - now) < timedelta(minutes=1)
    with pytest.raises(InputError, match="timezone info"):
        events.lesson_viewed(user_course_id=1, topic_id=2, lesson_id=3, occurred_at=now.replace(tzinfo=None))


def test_an_outline_too_large_for_one_event_is_refused_with_a_sentence() -> None:
    lessons = [{"topic_id": 1, "lesson_id": number, "title": "x" * 1_000} for number in range(1, 1_200)]
    with pytest.raises(InputError, match=r"The event would be refused: 1[0-9]+ characters; at most 1048576"):
        EventFactory("/lms").course_outlined(course_id=1, lessons=lessons)
