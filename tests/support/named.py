"""Builders of named events, and the rows read back by name."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from tests.support.events import at
from worker.contract.named_event import (
    NAMED_EVENT,
    NamedCourseOutlined,
    NamedEnrollmentCreated,
    NamedEvent,
    NamedLessonCompleted,
    NamedLessonReopened,
    NamedLessonViewed,
)

SOURCE = "moodle"

ROWS_BY_NAME = text("""
    SELECT learner.source, learner.key AS learner, course.key AS course, lesson.key AS lesson, status::text,
           last_viewed_at, completed_at
    FROM user_course_progress AS progress
    JOIN external_enrollment AS its USING (user_course_id)
    JOIN external_id AS learner ON (learner.kind, learner.id) = ('user', its.user_id)
    JOIN external_id AS course ON (course.kind, course.id) = ('course', its.course_id)
    JOIN external_id AS lesson ON (lesson.kind, lesson.id, lesson.scope) = ('lesson', progress.lesson_id, its.course_id)
    ORDER BY 1, 2, 3, 4
""")


def named_viewed(
    learner: str = "ann", lesson: str = "l1", course: str | None = "c1", **other: Any
) -> NamedLessonViewed:
    """`lesson.viewed`; `topic`, `duration_seconds`, `enrols`, `seconds`, `id` and `source` may be given."""
    event = named("lesson.viewed", {"learner": learner, "lesson": lesson, "course": course}, **other)
    assert isinstance(event, NamedLessonViewed)
    return event


def named_completed(
    learner: str = "ann", lesson: str = "l1", course: str | None = "c1", **other: Any
) -> NamedLessonCompleted:
    """`lesson.completed`, like `named_viewed`."""
    event = named("lesson.completed", {"learner": learner, "lesson": lesson, "course": course}, **other)
    assert isinstance(event, NamedLessonCompleted)
    return event


def named_reopened(
    learner: str = "ann", lesson: str = "l1", course: str | None = "c1", **other: Any
) -> NamedLessonReopened:
    """`lesson.reopened`, like `named_viewed`."""
    event = named("lesson.reopened", {"learner": learner, "lesson": lesson, "course": course}, **other)
    assert isinstance(event, NamedLessonReopened)
    return event


def named_enrolled(learner: str = "ann", course: str = "c1", **other: Any) -> NamedEnrollmentCreated:
    """`enrollment.created`; `timezone`, `seconds`, `id` and `source` may be given."""
    event = named("enrollment.created", {"learner": learner, "course": course}, **other)
    assert isinstance(event, NamedEnrollmentCreated)
    return event


def named_outlined(
    course: str = "c1", lessons: Iterable[str | Mapping[str, object]] = (), **other: Any
) -> NamedCourseOutlined:
    """`course.outlined`; a lesson is a name or all its members."""
    members = [{"lesson": each} if isinstance(each, str) else each for each in lessons]
    event = named("course.outlined", {"course": course, "lessons": members}, **other)
    assert isinstance(event, NamedCourseOutlined)
    return event


_ENVELOPE = ("id", "source", "sequence", "untimed")


def named(kind: str, data: dict[str, object], *, seconds: float = 0, **other: Any) -> NamedEvent:
    """An event of this type; members of the envelope and of the data may be given."""
    envelope = {member: other.pop(member) for member in _ENVELOPE if member in other}
    names = ",".join(str(each) for each in data.values())
    given = {"id": f"{kind}/{names}/{seconds}", "source": SOURCE, "type": kind, "time": at(seconds)}
    return NAMED_EVENT.validate_python({**given, **envelope, "data": {**data, **other}})


def rows_by_name(engine: Engine) -> dict[tuple[str, str, str, str], tuple[str, datetime | None, datetime | None]]:
    """Each progress row (status, last viewed, completed) by (source, learner, course, lesson)."""
    with engine.connect() as connection:
        return {tuple(row[:4]): tuple(row[4:]) for row in connection.execute(ROWS_BY_NAME)}
