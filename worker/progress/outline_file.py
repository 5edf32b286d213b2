"""Read an outline from a JSON or CSV file and validate it."""

from collections.abc import Iterator

from pydantic import ValidationError

from worker.adapters.outlines.document import parse_json, text_of
from worker.contract.event import Outline, OutlineLesson
from worker.contract.lesson import Lesson
from worker.errors import InputError
from worker.progress.outline_csv import csv_lessons


def read_outline(content: bytes, name: str, course_id: int) -> Outline:
    """Return the outline of the course from a file's bytes, UTF-8 with or without a byte order mark.

    JSON starts with a bracket or brace: `{"course_id"?, "lessons": [...]}` or the list alone. Anything else is CSV.
    Raises InputError for the first error, with `name`, the line or lesson, and the reason.
    """
    text = text_of(content, name)
    if not text.strip():
        raise InputError(f"{name} is empty. Write an outline without lessons as [].")
    is_json = text.lstrip().startswith(("[", "{"))
    lessons: list[OutlineLesson] = []
    places: dict[Lesson, str] = {}
    for place, members in _json_lessons(text, name, course_id) if is_json else csv_lessons(text, name):
        dropped: list[str] = []
        try:
            lesson = OutlineLesson.model_validate(members, context={"dropped": dropped})
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            raise InputError(f"{name}, {place}: {problem['loc'][0]}: {problem['msg']}.") from None
        if dropped:
            raise InputError(f"{name}, {place}: {dropped[0]}: not valid. Correct or remove it.")
        first = places.setdefault((lesson.topic_id, lesson.lesson_id), place)
        if first != place:
            raise InputError(
                f"{name}, {place}: topic {lesson.topic_id}, lesson {lesson.lesson_id} is already at {first}. "
                "Remove one of them."
            )
        lessons.append(lesson)
    return Outline(course_id=course_id, lessons=tuple(lessons))


def _json_lessons(text: str, name: str, course_id: int) -> Iterator[tuple[str, object]]:
    document = parse_json(text, name)
    if isinstance(document, dict):
        given = document.get("course_id", course_id)
        if given != course_id:
            raise InputError(
                f"{name}: course_id is {repr(given)[:50]}, not {course_id}. "
                "Load it for that course, or remove its course_id."
            )
        document = document.get("lessons")
    if not isinstance(document, list):
        raise InputError(f'{name}: no list of lessons. An outline is {{"lessons": [...]}} or the list alone.')
    for number, members in enumerate(document, 1):
        if not isinstance(members, dict):
            raise InputError(f"{name}, lesson {number}: not an object with topic_id and lesson_id.")
        yield f"lesson {number}", members
