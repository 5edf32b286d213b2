"""Find out which courses named events are about, without naming anything."""

from collections.abc import Collection

from sqlalchemy import Connection

from worker.contract.named_event import NamedEvent, NamedLesson
from worker.identity.look_up import find_courses, look_up
from worker.identity.names import Names


def find_course_of_each(connection: Connection, events: Collection[NamedEvent]) -> list[int | None]:
    """Return the course of each event, or None if the map does not tell. Two statements, which lock nothing.

    Of an event that names no course it is the only one of its connection in which its lesson is known.
    """
    courses = find_courses(connection, {(each.source, each.data.course) for each in events if each.data.course})
    lessons = _courses_of_lessons(connection, {key for each in events if (key := _lesson_alone(each))})
    return [
        lessons[key] if (key := _lesson_alone(each)) else courses.get((each.source, each.data.course or ""))
        for each in events
    ]


def _lesson_alone(event: NamedEvent) -> tuple[str, str] | None:
    """Return (source, lesson) of an event that names no course."""
    data = event.data
    return (event.source, data.lesson) if isinstance(data, NamedLesson) and data.course is None else None


def _courses_of_lessons(
    connection: Connection, lessons: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int | None]:
    if not lessons:
        return {}
    names = Names(lessons={(source, 0, lesson): place for place, (source, lesson) in enumerate(lessons, 1)})
    return {key: course or None for key, (course, *_) in zip(lessons, look_up(connection, names).lessons, strict=True)}
