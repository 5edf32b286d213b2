"""Find lessons for which events wait that name no course, and so could be of any course of their connection."""

from collections.abc import Collection

from sqlalchemy import Connection, text

from worker.contract.entry import Reason
from worker.contract.named_event import NamedEvent, NamedLesson, NamedOutline

SourceAndLesson = tuple[str, str]

_AWAITED = text(f"""
    SELECT source, lesson FROM unnest(CAST(:sources AS text[]), CAST(:lessons AS text[])) AS named (source, lesson)
    WHERE EXISTS (
        SELECT FROM dead_letter
        WHERE reason = '{Reason.UNKNOWN_LESSON}'
          AND (lesson_source, lesson_key, lesson_course_id) = (named.source, named.lesson, 0)
    )
""")  # noqa: S608 - constants


def lessons_named_by(event: NamedEvent) -> set[SourceAndLesson]:
    """Return the lessons that the event gives a course."""
    data = event.data
    if isinstance(data, NamedOutline):
        return {(event.source, name) for each in data.lessons for name in (each.lesson, *(each.aliases or ()))}
    return {(event.source, data.lesson)} if isinstance(data, NamedLesson) and data.course is not None else set()


def find_awaited(connection: Connection, lessons: Collection[SourceAndLesson]) -> set[SourceAndLesson]:
    """Return those of these lessons for which events wait that name no course. One statement, which locks nothing."""
    parameters = {"sources": [source for source, _ in lessons], "lessons": [lesson for _, lesson in lessons]}
    return {(source, lesson) for source, lesson in connection.execute(_AWAITED, parameters)}
